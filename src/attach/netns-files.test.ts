import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NetnsFiles } from "./netns-files.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "netferry-netns-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("NetnsFiles takes the runtime's path where it exists", () => {
  const path = join(directory, "cni-1");
  writeFileSync(path, "");
  expect(new NetnsFiles("/nowhere").local(path)).toBe(path);
  expect(new NetnsFiles("/nowhere").exists(path)).toBe(true);
});

test("NetnsFiles finds a file by its name where the runtime's directory is mounted elsewhere", () => {
  writeFileSync(join(directory, "cni-1"), "");
  const files = new NetnsFiles(directory);
  expect(files.local("/runtime/netns/cni-1")).toBe(join(directory, "cni-1"));
  expect(files.exists("/runtime/netns/cni-1")).toBe(true);
  expect(files.exists("/runtime/netns/cni-2")).toBe(false);
});

test("NetnsFiles takes no pod for gone where the directory is not mounted", () => {
  expect(new NetnsFiles(join(directory, "missing")).exists("/runtime/netns/cni-1")).toBe(true);
  expect(new NetnsFiles(directory).exists("/runtime/netns/cni-1")).toBe(false);
});
