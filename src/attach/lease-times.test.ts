import { expect, test } from "bun:test";
import { aLease } from "../claims/testing.ts";
import { atClock } from "./lease-times.ts";

const lease = aLease({ takenAtMs: 1_000_000 });
const HOUR_MS = 3_600_000;

test("atClock() keeps when a lease was taken by the time since boot, and moves it with a clock that is set", () => {
  const known = atClock(lease, 900_000);
  expect(known).toEqual({ ...lease, takenUpMs: 100_000 });
  expect(atClock(known, 900_000)).toBe(known);
  expect(atClock(known, 900_000 + HOUR_MS)).toEqual({ ...known, takenAtMs: 1_000_000 + HOUR_MS });
  expect(atClock(known, 900_000 - HOUR_MS)).toEqual({ ...known, takenAtMs: 1_000_000 - HOUR_MS });
});

test("atClock() follows a slow drift when it comes to something, and loses nothing of it", () => {
  let drifted = atClock(lease, 900_000);
  const told = [900, 1_800, 2_700, 3_600].map((driftMs) => {
    drifted = atClock(drifted, 900_000 + driftMs);
    return drifted.takenAtMs - lease.takenAtMs;
  });
  expect(told).toEqual([0, 0, 2_700, 2_700]);
});
