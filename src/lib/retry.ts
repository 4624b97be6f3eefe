import type { Clock } from "./clock.ts";

export interface Backoff {
  readonly firstMs: number;
  readonly limitMs: number;
  /** Share of the delay that is random, 0 to 1; spreads a fleet that lost its server at one moment. */
  readonly jitter: number;
}

/** The delay before try number `attempt` (0 is the first retry), doubling up to the limit. */
export function backoffDelayMs(backoff: Backoff, attempt: number, random: () => number = Math.random): number {
  const full = Math.min(backoff.limitMs, backoff.firstMs * 2 ** Math.min(attempt, 30));
  return full * (1 - backoff.jitter * random());
}

/**
 * Runs `task` until it succeeds or `signal` aborts; waits by `backoff` between tries.
 * `onFailure` hears of each failure, with the delay to come.
 */
export async function retryUntilDone<T>(
  task: () => Promise<T>,
  options: {
    readonly backoff: Backoff;
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly onFailure: (error: unknown, delayMs: number) => void;
  },
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    options.signal.throwIfAborted();
    try {
      return await task();
    } catch (error) {
      options.signal.throwIfAborted();
      const delayMs = backoffDelayMs(options.backoff, attempt);
      options.onFailure(error, delayMs);
      await options.clock.sleep(delayMs, options.signal);
    }
  }
}
