/** A container: one process within its pod's network namespace, with mounts of its own. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { enterNetns, O_RDONLY, openFile } from "../../../ffi/libc.ts";
import { bindFileReadOnly, mountTmpfs } from "../../../ffi/unshare.ts";
import { ownMounts } from "../own-mounts.ts";
import type { BindMount } from "./cdi.ts";

export interface ContainerTask {
  readonly netnsPath: string;
  /** An empty directory, over which the container mounts its own root of files. */
  readonly root: string;
  readonly mounts: readonly BindMount[];
  /** What the container is for: IPv4 addresses to ping. */
  readonly ping: readonly string[];
}

/** Takes this process into the pod and mounts what CDI edited in. Throws when a mount's source is not in the pod. */
export function enterContainer({ netnsPath, root, mounts }: ContainerTask): void {
  using netns = openFile(netnsPath, O_RDONLY);
  enterNetns(netns.fd, netnsPath);
  ownMounts();
  mountTmpfs(root);
  for (const { hostPath, containerPath } of mounts) {
    const target = join(root, containerPath);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, "");
    bindFileReadOnly(hostPath, target);
  }
}
