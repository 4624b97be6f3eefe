/** A token bucket, as golang.org/x/time/rate fills it: at most `burst` at once, and one more each interval. */

import type { Clock } from "../lib/clock.ts";

export class ScanBudget {
  readonly #intervalMs: number;
  readonly #burst: number;
  readonly #clock: Clock;
  #tokens: number;
  #filledAtMs: number;

  constructor(options: { readonly intervalMs: number; readonly burst: number; readonly clock: Clock }) {
    this.#intervalMs = options.intervalMs;
    this.#burst = Math.max(1, options.burst);
    this.#clock = options.clock;
    this.#tokens = this.#burst;
    this.#filledAtMs = options.clock.nowMs();
  }

  /** Takes a token, and waits for one first where there is none. Rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<void> {
    for (this.#fill(); this.#tokens < 1; this.#fill()) {
      await this.#clock.sleep(Math.ceil((1 - this.#tokens) * this.#intervalMs), signal);
    }
    this.#tokens -= 1;
  }

  #fill(): void {
    const nowMs = this.#clock.nowMs();
    // A wall clock that was set back fills nothing, and counts anew from where it stands.
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#filledAtMs = nowMs;
    this.#tokens =
      this.#intervalMs > 0 ? Math.min(this.#burst, this.#tokens + elapsedMs / this.#intervalMs) : this.#burst;
  }
}
