import { expect, test } from "bun:test";
import { systemClock } from "./clock.ts";

test("systemClock.upMs() is the kernel's, and runs", () => {
  const before = systemClock.upMs();
  expect(before).toBeGreaterThan(0);
  expect(systemClock.upMs()).toBeWithin(before, before + 60_000);
});
