import { expect, test } from "bun:test";
import { ClockSteps, uptimeMs } from "./clock-steps.ts";

test("ClockSteps.take() tells by how much the clock was set, once, and nothing of time that passed", () => {
  let [nowMs, upMs] = [1_000_000, 5_000];
  const steps = new ClockSteps(
    () => nowMs,
    () => upMs,
  );
  nowMs += 3_600_000;
  upMs += 3_600_000;
  expect(steps.take()).toBe(0);
  nowMs += 500_000;
  expect(steps.take()).toBe(500_000);
  expect(steps.take()).toBe(0);
  nowMs -= 10_000;
  expect(steps.take()).toBe(-10_000);
});

test("ClockSteps.take() tells of a slow drift when it comes to something", () => {
  let nowMs = 0;
  const steps = new ClockSteps(
    () => nowMs,
    () => 0,
  );
  const told = Array.from({ length: 5 }, () => {
    nowMs += 900;
    return steps.take();
  });
  expect(told).toEqual([0, 0, 2700, 0, 0]);
});

test("uptimeMs() is the kernel's", () => {
  const before = uptimeMs("/proc");
  expect(before).toBeGreaterThan(0);
  expect(uptimeMs("/proc")).toBeWithin(before, before + 60_000);
});
