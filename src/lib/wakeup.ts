/** Calls that come while nobody waits are not lost, and many make one. */
export class Wakeup {
  #called = false;
  #waiter: (() => void) | undefined;

  call(): void {
    this.#called = true;
    this.#waiter?.();
  }

  /** True after a call; false when `signal` aborts. One waiter at a time. */
  async wait(signal: AbortSignal): Promise<boolean> {
    if (!this.#called && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const onAbort = () => resolve();
      this.#waiter = resolve;
      signal.addEventListener("abort", onAbort, { once: true });
      await promise;
      signal.removeEventListener("abort", onAbort);
      this.#waiter = undefined;
    }
    if (signal.aborted) return false;
    this.#called = false;
    return true;
  }
}
