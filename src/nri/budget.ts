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
  /** Resolves when the signal has aborted; stays pending when the budget is disposed first. */
  readonly ended: Promise<void>;
  readonly #spent = new AbortController();
  readonly #disposed = new AbortController();
  readonly #startedMs: number;
  readonly #clock: Clock;

  /** Lets go of `call` when disposed: `AbortSignal.any` would keep each hook for as long as the connection lasts. */
  constructor(ms: number, call: AbortSignal, clock: Clock) {
    this.ms = ms;
    this.#clock = clock;
    this.#startedMs = clock.nowMs();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    const end = (reason: unknown) => {
      this.#spent.abort(reason);
      resolve();
    };
    if (call.aborted) end(call.reason);
    call.addEventListener("abort", () => end(call.reason), { once: true, signal: this.#disposed.signal });
    clock.sleep(ms, this.#disposed.signal).then(
      () => end(new Error(`the hook's ${Math.round(ms)} ms are over`)),
      () => undefined, // disposed: the hook was quicker
    );
  }

  get signal(): AbortSignal {
    return this.#spent.signal;
  }

  get usedMs(): number {
    return this.#clock.nowMs() - this.#startedMs;
  }

  [Symbol.dispose](): void {
    this.#disposed.abort();
  }
}
