/**
 * A network namespace behind a file, as runtimes keep one for each pod. It is made by a process of its own: a thread that
 * the engine starts while another namespace is entered would stay in it and hold it for ever.
 */

import { rmSync, writeFileSync } from "node:fs";
import { bindFile, unmount, unshareNetwork } from "../../../ffi/unshare.ts";
import { ROLE, runSelf, TASK } from "../self.ts";

/** In the process of its own: makes the namespace and leaves it behind at the path. */
export function makeNamespace(path: string): void {
  writeFileSync(path, "");
  unshareNetwork();
  bindFile("/proc/thread-self/ns/net", path);
}

/** A fresh network namespace behind a new file at `path`. */
export async function addNamespace(path: string): Promise<void> {
  const { code, stderr } = await runSelf(["demo"], { [ROLE]: "namespace", [TASK]: JSON.stringify(path) });
  if (code !== 0) throw new Error(`The network namespace ${path} could not be made: ${stderr || "it took too long"}`);
}

/** The namespace itself ends when nobody holds it any more. */
export function removeNamespace(path: string): void {
  unmount(path);
  rmSync(path);
}
