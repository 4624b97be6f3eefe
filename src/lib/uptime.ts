/** A clock that nobody sets, unlike the system's: on a machine without a battery that is set by years, at each of its starts. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Milliseconds since the kernel booted, with the time that the machine slept (CLOCK_BOOTTIME, in hundredths of a second). */
export function uptimeMs(procRoot: string): number {
  return Number(readFileSync(join(procRoot, "uptime"), "utf8").split(" ", 1)[0]) * 1000;
}
