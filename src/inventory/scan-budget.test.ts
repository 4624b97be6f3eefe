import { expect, test } from "bun:test";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { ScanBudget } from "./scan-budget.ts";

const never = new AbortController().signal;

test("take() lets a burst through at once, then one each interval", async () => {
  const clock = new ManualClock();
  const budget = new ScanBudget({ intervalMs: 2000, burst: 2, clock });
  await budget.take(never);
  await budget.take(never);
  const third = budget.take(never);
  expect(clock.sleeping).toEqual([2000]);
  clock.advance(2000);
  await third;
  clock.advance(1000);
  const fourth = budget.take(never);
  expect(clock.sleeping).toEqual([1000]);
  clock.advance(1000);
  await fourth;
});

test("take() never saves more than a burst", async () => {
  const clock = new ManualClock();
  const budget = new ScanBudget({ intervalMs: 10, burst: 2, clock });
  clock.advance(60_000);
  await budget.take(never);
  await budget.take(never);
  const third = budget.take(never);
  expect(clock.sleeping).toEqual([10]);
  clock.advance(10);
  await third;
});

test("take() rejects with the signal's reason while it waits", async () => {
  const clock = new ManualClock();
  const budget = new ScanBudget({ intervalMs: 10, burst: 1, clock });
  await budget.take(never);
  const stop = new AbortController();
  const waiting = budget.take(stop.signal);
  stop.abort(new Error("stopping"));
  expect(waiting).rejects.toThrow("stopping");
  expect(clock.sleeping).toEqual([]);
});
