import { expect, test } from "bun:test";
import type { ResourceSlice } from "./client/wire.ts";
import { SliceMirror } from "./slice-mirror.ts";

const slice = (name: string, resourceVersion: string): ResourceSlice => ({
  metadata: { name, resourceVersion },
  spec: { driver: "dra.net", nodeName: "n1", pool: { name: "n1", generation: 1, resourceSliceCount: 1 } },
});
const versions = (mirror: SliceMirror) =>
  mirror.slices.map(({ metadata }) => `${metadata?.name}@${metadata?.resourceVersion}`);

test("SliceMirror ignores older events until the watch has brought our own write", () => {
  const mirror = new SliceMirror();
  mirror.replace([slice("a", "1")]);
  mirror.wrote(slice("a", "9"));
  expect(mirror.apply({ type: "MODIFIED", object: slice("a", "5") })).toBe(false);
  expect(versions(mirror)).toEqual(["a@9"]);
  expect(mirror.apply({ type: "MODIFIED", object: slice("a", "9") })).toBe(false);
  expect(mirror.apply({ type: "MODIFIED", object: slice("a", "12") })).toBe(true);
  expect(versions(mirror)).toEqual(["a@12"]);
});

test("SliceMirror waits for no event when the watch was quicker than the answer, or nothing changed", () => {
  const mirror = new SliceMirror();
  expect(mirror.apply({ type: "ADDED", object: slice("a", "4") })).toBe(true);
  mirror.wrote(slice("a", "4"));
  expect(mirror.apply({ type: "MODIFIED", object: slice("a", "6") })).toBe(true);
});

test("SliceMirror does not bring back what we deleted", () => {
  const mirror = new SliceMirror();
  mirror.replace([slice("a", "1"), slice("b", "2")]);
  mirror.removed("a");
  expect(mirror.apply({ type: "MODIFIED", object: slice("a", "3") })).toBe(false);
  expect(mirror.apply({ type: "DELETED", object: slice("a", "4") })).toBe(false);
  expect(versions(mirror)).toEqual(["b@2"]);
  expect(mirror.apply({ type: "DELETED", object: slice("b", "5") })).toBe(true);
  expect(mirror.slices).toEqual([]);
});

test("SliceMirror takes a list for the whole truth", () => {
  const mirror = new SliceMirror();
  mirror.wrote(slice("a", "9"));
  mirror.replace([slice("b", "3")]);
  expect(versions(mirror)).toEqual(["b@3"]);
  expect(mirror.apply({ type: "ADDED", object: slice("a", "10") })).toBe(true);
});
