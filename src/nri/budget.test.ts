import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { systemClock } from "../lib/clock.ts";
import { Budget, budgetMs } from "./budget.ts";

test("budgetMs() takes three quarters of the nearest limit that is known", () => {
  expect(budgetMs(1_000, 8_000)).toBe(750);
  expect(budgetMs(undefined, 8_000)).toBe(6_000);
  expect(budgetMs(undefined, undefined)).toBe(1_500);
  expect(budgetMs(0, 8_000)).toBe(0); // already late
});

test("Budget aborts its signal and says so when its time is up", async () => {
  const clock = new ManualClock();
  using budget = new Budget(1_500, new AbortController().signal, clock);
  expect(budget.signal.aborted).toBe(false);
  clock.advance(1_500);
  await budget.ended;
  expect(String(budget.signal.reason)).toContain("1500 ms are over");
});

test("Budget ends with the call, also with one that has ended before", async () => {
  const call = new AbortController();
  using during = new Budget(1_500, call.signal, systemClock);
  call.abort(new Error("hung up"));
  await during.ended;
  expect(String(during.signal.reason)).toContain("hung up");
  using after = new Budget(1_500, call.signal, systemClock);
  await after.ended;
  expect(after.signal.aborted).toBe(true);
});

test("Budget leaves nothing behind while the connection lasts", async () => {
  const connection = new AbortController();
  const signals = () => {
    Bun.gc(true);
    return heapStats().objectTypeCounts["AbortSignal"] ?? 0;
  };
  const hook = () => {
    const call = AbortSignal.any([connection.signal, new AbortController().signal]);
    using budget = new Budget(1_500, call, systemClock);
    void budget.ended.then(() => budget.ms);
  };
  const before = signals();
  for (let i = 0; i < 500; i++) hook();
  await new Promise((resolve) => setImmediate(resolve)); // what was disposed settles
  expect(signals() - before).toBeLessThan(100);
  expect(connection.signal.aborted).toBe(false);
});
