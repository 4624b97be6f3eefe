import { constants } from "node:os";
import { SysError } from "../../ffi/sys-error.ts";

const { errno } = constants;
export const {
  EEXIST,
  ENODEV,
  ENOENT,
  ESRCH,
  EBUSY,
  EADDRNOTAVAIL,
  EINVAL,
  ENETUNREACH,
  EHOSTUNREACH,
  EACCES,
  EOPNOTSUPP,
  EPROTONOSUPPORT,
} = errno;

/** Whether the kernel answered with one of these. */
export function isErrno(error: unknown, ...errnos: readonly number[]): error is SysError {
  return error instanceof SysError && errnos.includes(error.errno);
}

/** Runs `task`; an answer with one of these is as good as success. */
export function accepting(errnos: readonly number[], task: () => void): void {
  try {
    task();
  } catch (error) {
    if (!isErrno(error, ...errnos)) throw error;
  }
}
