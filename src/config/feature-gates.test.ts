import { expect, test } from "bun:test";
import { parseFeatureGates } from "./feature-gates.ts";
import { parseCommandLine } from "./flags.ts";

test("parseFeatureGates() reads DRANET's gates, and those of all Kubernetes components", () => {
  const off = { DRAListTypeAttributes: false, PersistentResourceSliceAttributes: false };
  expect(parseFeatureGates("")).toEqual(off);
  expect(parseFeatureGates(" DRAListTypeAttributes=true, ")).toEqual({ ...off, DRAListTypeAttributes: true });
  expect(parseFeatureGates("AllAlpha=1,DRAListTypeAttributes=F,AllBeta=true")).toEqual({
    DRAListTypeAttributes: false,
    PersistentResourceSliceAttributes: true,
  });
});

test("parseFeatureGates() names the nearest gate, and what is wrong with a value", () => {
  const refused = (text: string) => () => parseFeatureGates(text);
  expect(refused("DRAListTypeAttribute=true")).toThrow(
    'holds "DRAListTypeAttribute", which is no feature gate of netferry (did you mean DRAListTypeAttributes?)',
  );
  expect(refused("DRAListTypeAttributes")).toThrow("write DRAListTypeAttributes=true or DRAListTypeAttributes=false");
  expect(refused("DRAListTypeAttributes=on")).toThrow('the value "on", which is not true or false');
});

test("parseCommandLine() refuses an unknown gate as bad input, before anything starts", () => {
  expect(() => parseCommandLine(["--feature-gates=DynamicResourceAllocation=true"])).toThrow(
    '--feature-gates: "DynamicResourceAllocation=true" holds "DynamicResourceAllocation", which is no feature gate of netferry: there are DRAListTypeAttributes and PersistentResourceSliceAttributes',
  );
});
