/** Notices when somebody sets the system's clock: on a machine without a battery that is by years, at each of its starts. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Clocks drift, and are slewed; nothing here is as exact. */
const LEAST_STEP_MS = 2_000;

export class ClockSteps {
  readonly #nowMs: () => number;
  readonly #upMs: () => number;
  #offsetMs: number;

  /** `nowMs` is the clock that may be set, `upMs` one that only runs. */
  constructor(nowMs: () => number, upMs: () => number) {
    this.#nowMs = nowMs;
    this.#upMs = upMs;
    this.#offsetMs = nowMs() - upMs();
  }

  /** By how much the clock was set forward since the last call, in milliseconds; below zero: back. */
  take(): number {
    const offsetMs = this.#nowMs() - this.#upMs();
    const stepMs = offsetMs - this.#offsetMs;
    if (Math.abs(stepMs) < LEAST_STEP_MS) return 0;
    this.#offsetMs = offsetMs;
    return stepMs;
  }
}

/** Milliseconds since the kernel booted, with the time that the machine slept (CLOCK_BOOTTIME, in hundredths of a second). */
export function uptimeMs(procRoot: string): number {
  return Number(readFileSync(join(procRoot, "uptime"), "utf8").split(" ", 1)[0]) * 1000;
}
