import { dlopen, read, FFIType as T } from "bun:ffi";
import { LIBC_PATH } from "./libc-path.ts";

const { symbols: c } = dlopen(LIBC_PATH, {
  __errno_location: { args: [], returns: T.ptr },
});

/** errno of this thread. Read it in the expression that follows the call: any other work may change it. */
export function errno(): number {
  const location = c.__errno_location();
  return location === null ? 0 : read.i32(location, 0);
}
