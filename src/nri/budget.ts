import type { Clock } from "../lib/clock.ts";

/** What runtimes wait unless they are told otherwise (NRI's DefaultPluginRequestTimeout). */
const DEFAULT_REQUEST_TIMEOUT_MS = 2_000;
/** The answer must travel, and the runtime's clock started before ours: a late one costs us the connection. */
const USABLE_SHARE = 0.75;

/** How long a hook may work: by what its call says, else by what Configure said, else by the default. */
export function budgetMs(callTimeoutMs: number | undefined, configuredTimeoutMs: number | undefined): number {
  return USABLE_SHARE * (callTimeoutMs ?? configuredTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS);
}

/** The time of one hook: `signal` aborts when it is used up, or when `call` does because nobody waits any more. */
export class Budget implements Disposable {
  readonly ms: number;
  readonly signal: AbortSignal;
  /** Resolves when the signal has aborted; stays pending when the budget is disposed first. */
  readonly ended: Promise<void>;
  readonly #disposed = new AbortController();
  readonly #startedMs: number;
  readonly #clock: Clock;

  constructor(ms: number, call: AbortSignal, clock: Clock) {
    this.ms = ms;
    this.#clock = clock;
    this.#startedMs = clock.nowMs();
    const spent = new AbortController();
    clock.sleep(ms, this.#disposed.signal).then(
      () => spent.abort(new Error(`the hook's ${Math.round(ms)} ms are over`)),
      () => undefined, // disposed: the hook was quicker
    );
    const signal = AbortSignal.any([spent.signal, call]);
    this.signal = signal;
    this.ended = new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  get usedMs(): number {
    return this.#clock.nowMs() - this.#startedMs;
  }

  [Symbol.dispose](): void {
    this.#disposed.abort();
  }
}
