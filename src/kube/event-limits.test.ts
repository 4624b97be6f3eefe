import { expect, test } from "bun:test";
import { BURST, EventLimits, REFILL_MS, REPEAT_INTERVAL_MS, SERIES_LIFE_MS } from "./event-limits.ts";

const report = (message: string, uid = "u") => ({
  object: { apiVersion: "v1", kind: "Pod", namespace: "ns", name: "p", uid },
  reason: "Broken",
  message,
});

test("EventLimits counts repetitions, and lets one through per interval", () => {
  const limits = new EventLimits();
  expect(limits.admit(report("m"), 0)).toMatchObject({ count: 1, firstMs: 0, lastMs: 0 });
  expect(limits.admit(report("m"), 1000)).toBeUndefined();
  expect(limits.admit(report("m"), REPEAT_INTERVAL_MS - 1)).toBeUndefined();
  expect(limits.admit(report("m"), REPEAT_INTERVAL_MS)).toMatchObject({
    count: 4,
    firstMs: 0,
    lastMs: REPEAT_INTERVAL_MS,
  });
  expect(limits.admit(report("m"), REPEAT_INTERVAL_MS + 1)).toBeUndefined();
});

test("EventLimits begins anew once the server may have forgotten the series", () => {
  const limits = new EventLimits();
  limits.admit(report("m"), 0);
  expect(limits.admit(report("m"), SERIES_LIFE_MS)).toMatchObject({ count: 1, firstMs: SERIES_LIFE_MS });
});

test("EventLimits gives each object a budget of its own", () => {
  const limits = new EventLimits();
  const admitted = (uid: string, nowMs: number) =>
    Array.from({ length: 30 }, (_, i) => limits.admit(report(`${nowMs} ${i}`, uid), nowMs)).filter(Boolean).length;
  expect(admitted("u", 0)).toBe(BURST);
  expect(admitted("v", 0)).toBe(BURST);
  expect(admitted("u", REFILL_MS - 1)).toBe(0);
  expect(admitted("u", 2 * REFILL_MS)).toBe(2);
  expect(admitted("u", 100 * REFILL_MS)).toBe(BURST);
});

test("EventLimits does not grow without end", () => {
  const limits = new EventLimits();
  for (let i = 0; i < 2000; i++) limits.admit(report("m", `u${i}`), 0);
  expect(limits.admit(report("m", "u1999"), 1)).toBeUndefined(); // known still
  expect(limits.admit(report("m", "u0"), 1)).toMatchObject({ count: 1 }); // forgotten
});
