/** Golden files: what a value was when somebody last looked at it. `UPDATE_GOLDEN=1` writes them anew. */

import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const GOLDEN = join(import.meta.dir, "../fixtures/golden");

/** Compares byte for byte with `test/fixtures/golden/<name>`. */
export function expectGolden(name: string, text: string): void {
  const path = join(GOLDEN, name);
  if (process.env["UPDATE_GOLDEN"] === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  expect(text).toBe(readFileSync(path, "utf8"));
}
