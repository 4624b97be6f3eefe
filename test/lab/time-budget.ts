/** The time that a whole run may take. */
export class TimeBudget {
  readonly #endMs: number;

  /** Without `minutes` there is no limit. */
  constructor(minutes = Number.POSITIVE_INFINITY) {
    this.#endMs = performance.now() + minutes * 60_000;
  }

  get isLimited(): boolean {
    return this.#endMs !== Number.POSITIVE_INFINITY;
  }

  get minutesLeft(): number {
    return (this.#endMs - performance.now()) / 60_000;
  }
}
