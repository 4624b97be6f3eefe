/** Where the parts of the lab are kept, outside the tree, so that a fresh checkout does not fetch them again. */
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

const base = process.env["XDG_CACHE_HOME"] ?? "";

export const VM_CACHE = join(base === "" ? join(homedir(), ".cache") : base, "netferry/vm");

/** Makes the folder `path` at once: `fill` works in another one, which takes the place when all is there. */
export async function makeFolder(path: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const unfinished = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  try {
    await fill(unfinished);
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}
