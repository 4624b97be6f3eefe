/** What is told of a series of measurements. */

export interface Summary {
  readonly rounds: number;
  readonly median: number;
  readonly p99: number;
}

export function summarise(values: readonly number[]): Summary {
  return { rounds: values.length, median: quantile(values, 0.5), p99: quantile(values, 0.99) };
}

/** The nearest rank: a value that was measured, not one between two. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (at === undefined) throw new Error("A quantile of no values was asked for.");
  return at;
}
