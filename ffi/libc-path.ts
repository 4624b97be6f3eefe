import { readFileSync } from "node:fs";

/**
 * The C library that this process already runs on. A bare `libc.so.6` would be looked for, in the end, in the working
 * directory.
 */
export const LIBC_PATH: string = mappedLibc();

function mappedLibc(): string {
  const path = /\s(\/\S*\/(?:libc\.so\.6|libc-2\.\d+\.so))$/m.exec(readFileSync("/proc/self/maps", "utf8"))?.[1];
  if (path === undefined) throw new Error("/proc/self/maps shows no libc.so.6: netferry needs a system with glibc.");
  return path;
}
