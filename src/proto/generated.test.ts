import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = new URL("../..", import.meta.url).pathname;
const COMMITTED = new URL("./gen", import.meta.url).pathname;

function readTree(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return Object.fromEntries(files.sort().map((name) => [name, readFileSync(join(directory, name), "utf8")]));
}

test("src/proto/gen is what buf makes of the .proto files", () => {
  const out = mkdtempSync(join(tmpdir(), "netferry-proto-"));
  try {
    const buf = Bun.spawnSync([join(ROOT, "node_modules/.bin/buf"), "generate", "-o", out], { cwd: ROOT });
    expect(buf.stderr.toString()).toBe("");
    expect(readTree(join(out, "src/proto/gen"))).toEqual(readTree(COMMITTED));
  } finally {
    rmSync(out, { recursive: true });
  }
}, 30_000);
