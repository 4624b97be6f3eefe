import type { Clock } from "../lib/clock.ts";

/** A task's pauses: until there is work, or time has passed. Every pause ends with a rejection when the signal aborts. */
export class Rest {
  readonly #clock: Clock;
  #isWoken = false;
  #end: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the pause, or the next one when there is none now. */
  wake(): void {
    this.#isWoken = true;
    this.#end();
  }

  /** Until woken; with `limitMs` no longer than that. */
  async untilWoken(signal: AbortSignal, limitMs = Number.POSITIVE_INFINITY): Promise<void> {
    const pause = new AbortController();
    const stop = () => pause.abort(signal.reason);
    this.#end = () => pause.abort();
    if (this.#isWoken) pause.abort();
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      await this.#sleep(limitMs, pause.signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!pause.signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#end = () => undefined;
      this.#isWoken = false;
    }
  }

  /** Whoever wakes meanwhile has to wait. */
  atLeast(delayMs: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(delayMs, signal);
  }

  untilAborted(signal: AbortSignal): Promise<void> {
    return this.#sleep(Number.POSITIVE_INFINITY, signal);
  }

  #sleep(limitMs: number, signal: AbortSignal): Promise<void> {
    if (Number.isFinite(limitMs)) return this.#clock.sleep(limitMs, signal);
    return new Promise((_, reject) => {
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }
}
