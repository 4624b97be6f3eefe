import { LONGEST_TIMER_MS } from "./clock.ts";

/**
 * A signal that aborts with `parent` or after `limitMs`, and that lets go of `parent` when disposed:
 * `AbortSignal.any` on a signal that lives as long as the agent would keep something for each request.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal;
  readonly #onParent = () => this.#controller.abort(this.#parent.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #limitMs: number;

  constructor(parent: AbortSignal, limitMs: number) {
    this.#parent = parent;
    this.#limitMs = limitMs;
    if (parent.aborted) this.#onParent();
    else parent.addEventListener("abort", this.#onParent, { once: true });
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True when the limit ran out, not when the parent aborted. */
  get expired(): boolean {
    return this.signal.aborted && !this.#parent.aborted;
  }

  /** Counts from now again: for streams, where each message is a sign of life. */
  restart(): void {
    clearTimeout(this.#timer);
    const reason = () => new DOMException(`not done within ${this.#limitMs / 1000} s`, "TimeoutError");
    this.#timer = setTimeout(() => this.abort(reason()), Math.min(this.#limitMs, LONGEST_TIMER_MS));
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#parent.removeEventListener("abort", this.#onParent);
  }
}
