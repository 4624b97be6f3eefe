/** Time as a parameter, so that tests own it. */

import { readFileSync } from "node:fs";

export interface Clock {
  /** Milliseconds since 1970, UTC. */
  nowMs(): number;
  /**
   * Milliseconds since the kernel booted, with the time that the machine slept (CLOCK_BOOTTIME, in hundredths of a second).
   * Nobody sets it, unlike the other one: on a machine without a battery that is set by years, at each of its starts.
   */
  upMs(): number;
  /** Resolves after `delayMs`, or `LONGEST_TIMER_MS` at the latest; rejects with the signal's reason. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** 24 days: a timer that is told more goes off at once, and whoever waits for it would not rest. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  upMs: () => Number(readFileSync("/proc/uptime", "utf8").split(" ", 1)[0]) * 1000,
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(
        () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
        Math.min(delayMs, LONGEST_TIMER_MS),
      );
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};
