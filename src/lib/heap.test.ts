import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { shrinkHeap } from "./heap.ts";

const compiled = () => heapStats().objectTypeCounts["FunctionCodeBlock"] ?? 0;

test("shrinkHeap() drops what functions were compiled to, and they work on", async () => {
  const functions = Array.from({ length: 500 }, (_, at) => new Function(`return ${at};`));
  const sum = () => functions.reduce((total, one) => total + one(), 0);
  expect(sum()).toBe(124_750);
  expect(compiled()).toBeGreaterThan(500);
  shrinkHeap();
  await eventually("most code is gone", () => compiled() < 400);
  expect(sum()).toBe(124_750);
});
