import { expect, test } from "bun:test";
import { budgetMs } from "./budget.ts";

test("budgetMs() takes three quarters of the nearest limit that is known", () => {
  expect(budgetMs(1_000, 8_000)).toBe(750);
  expect(budgetMs(undefined, 8_000)).toBe(6_000);
  expect(budgetMs(undefined, undefined)).toBe(1_500);
  expect(budgetMs(0, 8_000)).toBe(0); // already late
});
