import { expect, test } from "bun:test";
import { quantile, summarise } from "./statistics.ts";

test("quantile() is a measured value at the nearest rank", () => {
  const values = [5, 1, 4, 2, 3];
  expect(quantile(values, 0.5)).toBe(3);
  expect(quantile(values, 0.99)).toBe(5);
  expect(quantile([7], 0.01)).toBe(7);
});

test("quantile() throws when there are no values", () => {
  expect(() => quantile([], 0.5)).toThrow("no values");
});

test("summarise() takes the 99th of 100 values for p99", () => {
  const values = Array.from({ length: 100 }, (_, at) => at + 1);
  expect(summarise(values)).toEqual({ rounds: 100, median: 50, p99: 99 });
});
