import { expect, test } from "bun:test";
import type { DhcpLease } from "./lease.ts";
import { nextAttentionMs, phaseOf, secondsLeft } from "./phase.ts";

const LEASE: DhcpLease = {
  address: "10.0.0.9",
  prefixLength: 24,
  server: "10.0.0.1",
  serverHardwareAddress: "02:00:00:00:00:02",
  hardwareAddress: "02:00:00:00:00:01",
  takenAtMs: 1_000_000,
  seconds: 80,
  renewAfterSeconds: 40,
  rebindAfterSeconds: 70,
  routes: [],
};
const { seconds: _, ...FOREVER } = LEASE;
const at = (seconds: number) => LEASE.takenAtMs + seconds * 1000;

test.each([
  [0, "bound", 80],
  [39.9, "bound", 40],
  [40, "renewing", 40],
  [70, "rebinding", 10],
  [80, "expired", 0],
  [100, "expired", 0],
] as const)("a lease of 80 s is after %d s %s, with %d s left", (age, phase, left) => {
  expect(phaseOf(LEASE, at(age))).toBe(phase);
  expect(secondsLeft(LEASE, at(age))).toBe(left);
});

test("nextAttentionMs() is T1 at first, then half of the way to T2, then to the end", () => {
  expect(nextAttentionMs(LEASE, at(10), undefined)).toBe(at(40));
  expect(nextAttentionMs(LEASE, at(44), at(42))).toBe(at(56));
  expect(nextAttentionMs(LEASE, at(69), at(68))).toBe(at(70));
  expect(nextAttentionMs(LEASE, at(71), at(42))).toBe(at(70));
  expect(nextAttentionMs(LEASE, at(73), at(72))).toBe(at(77));
});

test("nextAttentionMs() asks for a new address at once when the lease has expired, then now and then", () => {
  expect(nextAttentionMs(LEASE, at(90), undefined)).toBe(at(90));
  expect(nextAttentionMs(LEASE, at(95), at(90))).toBe(at(105));
});

test("a lease for ever needs no attention", () => {
  expect(phaseOf(FOREVER, at(1e9))).toBe("bound");
  expect(nextAttentionMs(FOREVER, at(0), undefined)).toBe(Number.POSITIVE_INFINITY);
  expect(secondsLeft(FOREVER, at(5))).toBeUndefined();
});
