/** Sums the time that the methods of an object take. They are synchronous; one that calls another counts once. */
export class Stopwatch<T extends object> {
  /** The object, with every method timed. */
  readonly watched: T;
  #elapsedMs = 0;

  constructor(target: T) {
    const timed =
      (method: (...args: unknown[]) => unknown) =>
      (...args: unknown[]) => {
        const startMs = performance.now();
        try {
          return method.apply(target, args);
        } finally {
          this.#elapsedMs += performance.now() - startMs;
        }
      };
    this.watched = new Proxy(target, {
      get: (_, key) => {
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? timed(value as (...args: unknown[]) => unknown) : value;
      },
    });
  }

  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  reset(): void {
    this.#elapsedMs = 0;
  }
}
