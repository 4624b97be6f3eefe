import { constants } from "node:os";
import { SysError } from "../../ffi/sys-error.ts";

const GONE = new Set<number>([constants.errno.ENOENT, constants.errno.ENOTDIR, constants.errno.EINVAL]);

/** Whether opening a namespace failed because it is not there: no file, or a file that is no namespace any more. */
export function isGone(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if (at instanceof SysError && GONE.has(at.errno)) return true;
  return false;
}

/** Whether a system call behind this error failed so. */
export function hasErrno(error: unknown, name: keyof typeof constants.errno): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if (at instanceof SysError && at.errno === constants.errno[name]) return true;
  return false;
}
