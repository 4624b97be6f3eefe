import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = new URL("../..", import.meta.url).pathname;
const LAB = "test/lab/runtime";
const TREES: readonly (readonly [committed: string, args: readonly string[]])[] = [
  ["src/proto/gen", []],
  [`${LAB}/gen`, [`${LAB}/proto`, "--template", `${LAB}/proto/buf.gen.yaml`]],
];

function readTree(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return Object.fromEntries(files.sort().map((name) => [name, readFileSync(join(directory, name), "utf8")]));
}

for (const [committed, args] of TREES) {
  test(`${committed} is what buf makes of the .proto files`, () => {
    const out = mkdtempSync(join(tmpdir(), "netferry-proto-"));
    try {
      const argv = [join(ROOT, "node_modules/.bin/buf"), "generate", ...args, "-o", out];
      expect(Bun.spawnSync(argv, { cwd: ROOT }).stderr.toString()).toBe("");
      expect(readTree(join(out, committed))).toEqual(readTree(join(ROOT, committed)));
    } finally {
      rmSync(out, { recursive: true });
    }
  }, 30_000);
}
