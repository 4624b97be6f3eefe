/** Where the demo keeps its files: a file system in memory that only its own processes see. */

import { existsSync, readFileSync } from "node:fs";
import { makePrivate, mountTmpfs, unmount } from "../../ffi/unshare.ts";
import { OWN_COMMAND } from "./self.ts";

/** Directories that a system has and no program of the demo needs. */
const CANDIDATES = ["/media", "/srv", "/mnt", "/run", "/tmp", "/var/tmp"];

export class Place implements Disposable {
  readonly path: string;

  /** Mounts over a directory, so that the file system below need not be writable. */
  constructor() {
    const inUse = [...OWN_COMMAND, `${process.cwd()}/`];
    const path = CANDIDATES.find(
      (candidate) => existsSync(candidate) && !inUse.some((file) => file.startsWith(`${candidate}/`)),
    );
    if (path === undefined)
      throw new Error(`None of ${CANDIDATES.join(", ")} is there to mount over: make one of these directories.`);
    mountTmpfs(path);
    makePrivate(path, { recursive: false });
    this.path = path;
  }

  /** Mount points within the place. */
  mounts(): readonly string[] {
    const lines = readFileSync("/proc/thread-self/mountinfo", "utf8").split("\n");
    return lines.map((line) => line.split(" ")[4] ?? "").filter((point) => point.startsWith(`${this.path}/`));
  }

  [Symbol.dispose](): void {
    unmount(this.path);
  }
}
