/** Network namespaces of threads. What happens in a foreign one is synchronous, and then the thread leaves it. */

import { fstatSync } from "node:fs";
import { abortProcess, enterNetns, O_RDONLY, openFile } from "./libc.ts";
import type { OwnedFd } from "./owned.ts";
import { unshareNetwork } from "./unshare.ts";

/** Never a promise: what would run after its first await would run in whatever namespace the thread is in by then. */
export type Sync<T> = T extends PromiseLike<unknown> ? never : T;

const THREAD_NETNS = "/proc/thread-self/ns/net";

let home: OwnedFd | undefined;

/** Descriptor of the namespace that this thread belongs to, open until `closeHomeNetns`. */
export function homeNetns(): number {
  home ??= openFile(THREAD_NETNS, O_RDONLY);
  return home.fd;
}

/** For the end of a thread: descriptors outlive it. */
export function closeHomeNetns(): void {
  home?.[Symbol.dispose]();
  home = undefined;
}

/**
 * Runs `task` with this thread in the namespace `fd`. Throws SysError EINVAL when `fd` is no network namespace. When
 * the way back fails the process aborts: nothing may ever run in the wrong namespace.
 */
export function inNetns<T>(fd: number, task: () => Sync<T>): Sync<T> {
  const back = homeNetns();
  enterNetns(fd, `network namespace (descriptor ${fd})`);
  try {
    return task();
  } finally {
    leave(back);
  }
}

/**
 * Runs `task` with this thread in a new, empty namespace, of which `fd` is a descriptor, and which ends with it. Throws
 * SysError (EPERM). When the way back fails the process aborts.
 */
export function inNewNetns<T>(task: (fd: number) => Sync<T>): Sync<T> {
  const back = homeNetns();
  unshareNetwork();
  try {
    using own = openFile(THREAD_NETNS, O_RDONLY);
    return task(own.fd);
  } finally {
    leave(back);
  }
}

function leave(back: number): void {
  try {
    enterNetns(back, "the host's network namespace");
  } catch {
    abortProcess();
  }
}

export interface NetnsHandle {
  readonly fd: OwnedFd;
  readonly inode: number;
}

/**
 * Opens the namespace at `path` so that it is the namespace that is held and not the mount at `path`, which would pin
 * the runtime's file. Throws SysError: ENOENT when it is gone, EINVAL when the file is no network namespace.
 */
export function holdNetns(path: string): NetnsHandle {
  using entry = openFile(path, O_RDONLY);
  const back = homeNetns();
  enterNetns(entry.fd, path);
  try {
    const fd = openFile(THREAD_NETNS, O_RDONLY);
    return { fd, inode: fstatSync(fd.fd).ino };
  } finally {
    leave(back);
  }
}
