import { expect, test } from "bun:test";
import fc from "fast-check";
import { fromWhole, isWhole, parseQuantity, toFloat, toWhole } from "./quantity.ts";

test("parseQuantity() reads decimal, binary and exponent forms", () => {
  const cases: [string, string][] = [
    ["1", "1000000000"],
    ["-2.5", "-2500000000"],
    ["1Ki", "1024000000000"],
    ["1.5Gi", "1610612736000000000"],
    ["100m", "100000000"],
    ["1n", "1"],
    ["1e3", "1000000000000"],
    ["12E", "12000000000000000000000000000"],
    ["1E2", "100000000000"],
    [".5", "500000000"],
    ["5.", "5000000000"],
    // Finer than 10⁻⁹: rounded away from zero.
    ["0.0000000001", "1"],
    ["-0.0000000001", "-1"],
  ];
  for (const [text, nanos] of cases) expect(parseQuantity(text)?.toString()).toBe(nanos);
});

test("parseQuantity() refuses what is no quantity", () => {
  for (const text of ["", "1GB", "Gi", "1 Gi", "1e", "1ee3", "--1", "1.2.3", "0x1", "1Kin", "1e100000"]) {
    expect(parseQuantity(text)).toBeUndefined();
  }
});

test("toWhole() gives back what fromWhole() took, and refuses fractions and what is too large", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) =>
      expect(toWhole(fromWhole(value))).toBe(value),
    ),
  );
  expect(isWhole(parseQuantity("1500m") ?? 0n)).toBe(false);
  expect(() => toWhole(parseQuantity("1500m") ?? 0n)).toThrow("not an integer");
  expect(() => toWhole(parseQuantity("100E") ?? 0n)).toThrow("64 bits");
  expect(toFloat(parseQuantity("1500m") ?? 0n)).toBe(1.5);
});
