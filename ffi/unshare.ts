/**
 * Namespaces and mounts of this thread, for the short-lived processes of the demo. Unlike a call of setns there is no way
 * back here: a process that unshares does its one task, or starts the children that are to live inside, and ends.
 */

import { dlopen, FFIType as T } from "bun:ffi";
import { errno } from "./errno.ts";
import { cString } from "./libc.ts";
import { LIBC_PATH } from "./libc-path.ts";
import { SysError } from "./sys-error.ts";

const { symbols: c } = dlopen(LIBC_PATH, {
  unshare: { args: [T.i32], returns: T.i32 },
  mount: { args: [T.ptr, T.ptr, T.ptr, T.u64_fast, T.ptr], returns: T.i32 },
  umount2: { args: [T.ptr, T.i32], returns: T.i32 },
});

const CLONE_NEWNS = 0x00020000;
const CLONE_NEWNET = 0x40000000;
const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_REMOUNT = 0x20;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_PRIVATE = 1 << 18;
const MNT_DETACH = 2;

/** A new, empty network namespace for this thread and the children that it starts. Throws SysError (EPERM). */
export function unshareNetwork(): void {
  if (c.unshare(CLONE_NEWNET) < 0) throw new SysError("unshare", errno(), "the network namespace");
}

/** A copy of the mounts for this thread and the children that it starts. Throws SysError (EPERM). */
export function unshareMounts(): void {
  if (c.unshare(CLONE_NEWNS) < 0) throw new SysError("unshare", errno(), "the mount namespace");
}

/** From now on mounts below `path` are not passed on to other mount namespaces. EINVAL: `path` is no mount point. */
export function makePrivate(path: string, options: { readonly recursive: boolean }): void {
  mount("none", path, undefined, MS_PRIVATE | (options.recursive ? MS_REC : 0));
}

export function mountTmpfs(path: string): void {
  mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
}

/** Shows the file `source` at the file `target` too. Throws SysError (ENOENT: one of them is not there). */
export function bindFile(source: string, target: string): void {
  mount(source, target, undefined, MS_BIND);
}

/** The same, with the options `ro,nosuid,nodev,noexec`. */
export function bindFileReadOnly(source: string, target: string): void {
  bindFile(source, target);
  mount(source, target, undefined, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
}

/** Takes the mount away at once; what still uses it keeps it alive, unseen. */
export function unmount(path: string): void {
  if (c.umount2(cString(path), MNT_DETACH) < 0) throw new SysError("umount", errno(), path);
}

function mount(source: string, target: string, type: string | undefined, flags: number, data?: string): void {
  const optional = (text: string | undefined) => (text === undefined ? null : cString(text));
  if (c.mount(cString(source), cString(target), optional(type), flags, optional(data)) < 0)
    throw new SysError("mount", errno(), `${source} on ${target}`);
}
