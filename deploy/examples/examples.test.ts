/** The examples are what users copy: each is right, and each is in the list. */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PROJECT = join(import.meta.dir, "../..");
const files = readdirSync(import.meta.dir).filter((name) => name.endsWith(".yaml"));

test("netferry validate finds nothing wrong with any example, and a configuration in each", () => {
  const given = files.flatMap((name) => ["-f", join(import.meta.dir, name)]);
  const result = Bun.spawnSync([process.execPath, join(PROJECT, "src/main.ts"), "validate", "-o", "json", ...given]);
  const { problems, configurations } = JSON.parse(result.stdout.toString());
  expect(problems).toEqual([]);
  expect(result.exitCode).toBe(0);
  expect(Object.keys(configurations).length).toBe(files.length);
  for (const [file, count] of Object.entries(configurations)) expect([file, count]).not.toEqual([file, 0]);
});

test("the list of examples names every file, and none that is not there", () => {
  const list = readFileSync(join(import.meta.dir, "README.md"), "utf8");
  const named = [...list.matchAll(/^\| \[([^\]]+)\]\(\1\)/gm)].map(([, name]) => name ?? "");
  expect(named.toSorted()).toEqual(files.toSorted());
});
