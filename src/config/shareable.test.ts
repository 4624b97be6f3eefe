import { expect, test } from "bun:test";
import { ConfigError } from "../lib/errors.ts";
import { compileShareable } from "./shareable.ts";

test("compileShareable() is true for what the expression is true for, and for nothing else", async () => {
  const named = await compileShareable('attributes["dra.net/ifName"].StringValue.startsWith("eth")');
  expect(named({ "dra.net/ifName": { string: "eth1" } })).toBe(true);
  expect(named({ "dra.net/ifName": { string: "ib0" } })).toBe(false);
  // As against --filter, which keeps a device on which it fails.
  expect(named({})).toBe(false);
  const none = await compileShareable(" ");
  expect(none({ "dra.net/ifName": { string: "eth1" } })).toBe(false);
});

test("compileShareable() names its flag", async () => {
  const refused = await compileShareable("attributes[").catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ConfigError);
  expect(String(refused)).toContain("--shareable");
});
