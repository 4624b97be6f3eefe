import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatCpuList, parseCpuList } from "./cpu-list.ts";

test("parseCpuList() reads the kernel's lists, and nothing else", () => {
  expect(parseCpuList("0-3,8")).toEqual([0, 1, 2, 3, 8]);
  expect(parseCpuList("5, 1,1-2")).toEqual([1, 2, 5]);
  expect(parseCpuList("")).toEqual([]);
  for (const wrong of ["3-1", "a", "0x3", "1-2-3", "0-4294967295", "-1"]) expect(parseCpuList(wrong)).toBeUndefined();
});

test("formatCpuList() writes what parseCpuList() reads", () => {
  expect(formatCpuList([0, 1, 2, 3, 8])).toBe("0-3,8");
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 300 })), (ids) => {
      const sorted = ids.toSorted((a, b) => a - b);
      expect(parseCpuList(formatCpuList(sorted))).toEqual(sorted);
    }),
  );
});
