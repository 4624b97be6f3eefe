/** Writes that must not be waited for: kept until they succeed, one at a time, the newest of each key only. */

import type { Clock } from "../lib/clock.ts";
import { type Backoff, backoffDelayMs } from "../lib/retry.ts";
import { Wakeup } from "../lib/wakeup.ts";

/**
 * retry: the server has a problem, so everything waits. later: this item has one, the others go on. drop: it never can
 * be written.
 */
export type Verdict = "retry" | "later" | "drop";

export interface WriteQueueOptions<T> {
  readonly write: (item: T, signal: AbortSignal) => Promise<void>;
  /** Judges a failure, and logs it: `delayMs` is the wait before the next try, if there is one. */
  readonly judge: (error: unknown, item: T) => Verdict;
  readonly onFailure: (error: unknown, item: T, verdict: Verdict, delayMs: number) => void;
  readonly clock: Clock;
  readonly backoff: Backoff;
  /** How long a new item waits for what belongs to it, unless put() says so: several devices of a claim are one write. */
  readonly settleMs: number;
  /** Before an item is tried again that has a problem of its own. */
  readonly laterMs: number;
  /** The oldest item is dropped when there are more; default: no limit. */
  readonly limit?: number;
}

interface Pending<T> {
  item: T;
  notBeforeMs: number;
  /** It failed: what is newer waits as long. */
  readonly failed: boolean;
}

export class WriteQueue<T> {
  readonly #options: WriteQueueOptions<T>;
  readonly #pending = new Map<string, Pending<T>>();
  readonly #wakeup = new Wakeup();
  #pausedUntilMs = 0;
  #attempt = 0;

  constructor(options: WriteQueueOptions<T>) {
    this.#options = options;
  }

  /** Items that wait, the one that is being written left out. */
  get size(): number {
    return this.#pending.size;
  }

  /** Replaces what waits under the same key; of two waits the shorter one counts. Returns at once. */
  put(key: string, item: T, settleMs = this.#options.settleMs): void {
    const { clock, limit = Number.POSITIVE_INFINITY } = this.#options;
    const notBeforeMs = clock.nowMs() + settleMs;
    const waiting = this.#pending.get(key);
    if (waiting !== undefined) {
      waiting.item = item;
      if (waiting.failed || waiting.notBeforeMs <= notBeforeMs) return;
      waiting.notBeforeMs = notBeforeMs;
    } else {
      const [oldest] = this.#pending.keys();
      if (oldest !== undefined && this.#pending.size >= limit) this.#pending.delete(oldest);
      this.#pending.set(key, { item, notBeforeMs, failed: false });
    }
    this.#wakeup.call();
  }

  /** Writes until `signal` aborts; what waits then is forgotten. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const due = this.#due();
      if (due === undefined) await this.#rest(signal);
      else await this.#writeOne(...due, signal);
    }
  }

  #due(): readonly [string, T] | undefined {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs < this.#pausedUntilMs) return undefined;
    for (const [key, { item, notBeforeMs }] of this.#pending) if (notBeforeMs <= nowMs) return [key, item];
    return undefined;
  }

  async #writeOne(key: string, item: T, signal: AbortSignal): Promise<void> {
    const { write, judge, onFailure, clock, backoff, laterMs } = this.#options;
    this.#pending.delete(key);
    try {
      await write(item, signal);
      this.#attempt = 0;
    } catch (error) {
      if (signal.aborted) return;
      const verdict = judge(error, item);
      const delayMs =
        verdict === "later" ? laterMs : verdict === "retry" ? backoffDelayMs(backoff, this.#attempt++) : 0;
      const atMs = clock.nowMs() + delayMs;
      if (verdict === "retry") this.#pausedUntilMs = atMs;
      // A newer one that came meanwhile stays, and waits as long.
      if (verdict !== "drop")
        this.#pending.set(key, { item: this.#pending.get(key)?.item ?? item, notBeforeMs: atMs, failed: true });
      onFailure(error, item, verdict, delayMs);
    }
  }

  /** Until something new comes, or something is due. */
  async #rest(signal: AbortSignal): Promise<void> {
    const soonest = [...this.#pending.values()].reduce((ms, { notBeforeMs }) => Math.min(ms, notBeforeMs), Infinity);
    if (soonest === Infinity) {
      await this.#wakeup.wait(signal);
      return;
    }
    const { clock } = this.#options;
    const rested = new AbortController();
    const either = AbortSignal.any([signal, rested.signal]);
    const called = this.#wakeup.wait(either);
    const delayMs = Math.max(soonest, this.#pausedUntilMs) - clock.nowMs();
    await Promise.race([called, clock.sleep(Math.max(0, delayMs), either).catch(() => undefined)]);
    rested.abort();
    await called;
  }
}
