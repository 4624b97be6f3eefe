import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseDuration } from "./duration.ts";

test("parseDuration() reads what Go's time.ParseDuration reads", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["2s", 2000],
    ["1m30s", 90_000],
    ["500ms", 500],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1h15m30.918s", 4_530_918],
    ["100us", 0.1],
    ["100µs", 0.1],
  ];
  for (const [text, ms] of cases) expect(parseDuration(text)).toBeCloseTo(ms, 6);
});

test("parseDuration() refuses what has no unit, no number or trailing text", () => {
  for (const text of ["", "2", "s", "2 s", "2s ", "1d", "-2s", "1m30", "2sx", "1e3s", "."])
    expect(parseDuration(text)).toBeUndefined();
});

test("parseDuration() gives a number or undefined for any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."0123456789.smhnuµ -") }), (text) => {
      const ms = parseDuration(text);
      expect(ms === undefined || (Number.isFinite(ms) && ms >= 0)).toBe(true);
    }),
  );
});
