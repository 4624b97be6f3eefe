import { expect, test } from "bun:test";
import type { ResourceSlice, SliceDevice } from "./client/wire.ts";
import { diffSlices, type SliceWrites } from "./slice-diff.ts";
import { desiredSlices, sliceObject } from "./slices.ts";

const POOL = { driver: "dra.net", nodeName: "n1", nodeUid: "uid-1" };
const FRESH = { lastGeneration: 0 };

const devices = (count: number, mark = ""): SliceDevice[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `eth${String(i).padStart(3, "0")}`,
    ...(mark === "" ? {} : { attributes: { mark: { string: mark } } }),
  }));

const want = (offered: readonly SliceDevice[]) => desiredSlices(POOL, offered);

/** What a server holds after these devices were published at `generation`. */
function stored(offered: readonly SliceDevice[], generation = 1): ResourceSlice[] {
  const slices = want(offered);
  return slices.map((slice, index) => {
    const object = sliceObject(POOL, slice, { generation, count: slices.length });
    const metadata = { ...object.metadata, name: `${slice.generateName}abcde`, uid: `s${index}`, resourceVersion: "7" };
    return { ...object, metadata };
  });
}

/** The writes, short: `delete NAME`, `update NAME generation/count devices`. */
function story({ deletes, updates, creates }: SliceWrites): string[] {
  const numbers = ({ spec }: ResourceSlice) =>
    `${spec.pool.generation}/${spec.pool.resourceSliceCount} ${spec.devices?.length}`;
  return [
    ...deletes.map((slice) => `delete ${slice.metadata?.name}`),
    ...updates.map(({ existing, wanted }) => `update ${existing.metadata?.name} ${numbers(wanted)}`),
    ...creates.map((slice) => `create ${slice.metadata?.generateName} ${numbers(slice)}`),
  ];
}

const [A, B] = ["00000-dra.net-n1-abcde", "00001-dra.net-n1-abcde"];

test("desiredSlices() cuts at 128 devices and keeps their order", () => {
  const slices = want(devices(300));
  expect(slices.map((slice) => slice.devices.length)).toEqual([128, 128, 44]);
  expect(slices.flatMap((slice) => slice.devices)).toEqual(devices(300));
  expect(slices.map((slice) => slice.generateName)).toEqual([
    "00000-dra.net-n1-",
    "00001-dra.net-n1-",
    "00002-dra.net-n1-",
  ]);
  expect(want(devices(128)).length).toBe(1);
});

test("desiredSlices() cuts at 64 devices when one of them has a list", () => {
  const list = { name: "z", attributes: { "resource.kubernetes.io/numaNode": { ints: [0, 1] } } };
  expect(want([...devices(128), list]).map((slice) => slice.devices.length)).toEqual([64, 64, 1]);
});

test("desiredSlices() publishes one empty slice rather than none, owned by the Node", () => {
  expect(want([])).toEqual([
    {
      generateName: "00000-dra.net-n1-",
      owner: { apiVersion: "v1", kind: "Node", name: "n1", uid: "uid-1", controller: true },
      devices: [],
    },
  ]);
});

test("diffSlices() creates the first pool with generation 1", () => {
  expect(story(diffSlices(POOL, want(devices(130)), [], FRESH))).toEqual([
    "create 00000-dra.net-n1- 1/2 128",
    "create 00001-dra.net-n1- 1/2 2",
  ]);
});

test("diffSlices() writes nothing when nothing changed, whatever the server added", () => {
  const [slice] = stored(devices(3));
  if (slice === undefined) throw new Error("no slice");
  const metadata = { ...slice.metadata, creationTimestamp: "2026-01-01T00:00:00Z", managedFields: [], generation: 4 };
  const owned = {
    ...metadata,
    ownerReferences: [{ ...slice.metadata?.ownerReferences?.[0], blockOwnerDeletion: true }],
  };
  const existing = JSON.parse(JSON.stringify({ ...slice, metadata: owned }));
  expect(story(diffSlices(POOL, want(devices(3)), [existing], FRESH))).toEqual([]);
});

test("diffSlices() keeps the generation when one slice changes in place", () => {
  const changed = devices(130).map((device, i) => (i === 129 ? { name: "eth999" } : device));
  const writes = diffSlices(POOL, want(changed), stored(devices(130), 5), { lastGeneration: 5 });
  expect(story(writes)).toEqual([`update ${B} 5/2 2`]);
  expect(writes.updates[0]?.wanted.metadata).toMatchObject({ name: B, uid: "s1", resourceVersion: "7" });
  expect(writes.generation).toBe(5);
});

test("diffSlices() gives all slices the next generation when two change", () => {
  const writes = diffSlices(POOL, want(devices(130, "new")), stored(devices(130), 5), FRESH);
  expect(story(writes)).toEqual([`update ${A} 6/2 128`, `update ${B} 6/2 2`]);
});

test("diffSlices() gives all slices the next generation when one is added", () => {
  expect(story(diffSlices(POOL, want(devices(130)), stored(devices(128), 5), FRESH))).toEqual([
    `update ${A} 6/2 128`,
    "create 00001-dra.net-n1- 6/2 2",
  ]);
});

test("diffSlices() gives all slices the next generation when one is no longer needed", () => {
  expect(story(diffSlices(POOL, want(devices(128)), stored(devices(130), 5), FRESH))).toEqual([
    `delete ${B}`,
    `update ${A} 6/1 128`,
  ]);
});

test("diffSlices() goes on from the last known generation when the pool was wiped", () => {
  expect(story(diffSlices(POOL, want(devices(1)), [], { lastGeneration: 8 }))).toEqual([
    "create 00000-dra.net-n1- 9/1 1",
  ]);
});

test("diffSlices() restores the missing one of two slices", () => {
  const [, second] = stored(devices(130), 3);
  if (second === undefined) throw new Error("no second slice");
  expect(story(diffSlices(POOL, want(devices(130)), [second], FRESH))).toEqual([
    `update ${B} 4/2 2`,
    "create 00000-dra.net-n1- 4/2 128",
  ]);
});

test("diffSlices() brings one slice of an older generation to the pool's without a new one", () => {
  const [first] = stored(devices(130), 3);
  const [, second] = stored(devices(130), 4);
  if (first === undefined || second === undefined) throw new Error("no slices");
  expect(story(diffSlices(POOL, want(devices(130)), [first, second], FRESH))).toEqual([`update ${A} 4/2 128`]);
});

test("diffSlices() deletes an older leftover alone, and a double with a new generation", () => {
  const [good] = stored(devices(3), 4);
  if (good === undefined) throw new Error("no slice");
  const double = { ...good, metadata: { ...good.metadata, name: "00000-dra.net-n1-zzzzz" } };
  const older = { ...double, spec: { ...double.spec, pool: { ...double.spec.pool, generation: 3 } } };
  expect(story(diffSlices(POOL, want(devices(3)), [older, good], FRESH))).toEqual(["delete 00000-dra.net-n1-zzzzz"]);
  expect(story(diffSlices(POOL, want(devices(3)), [double, good], FRESH))).toEqual([
    "delete 00000-dra.net-n1-zzzzz",
    `update ${A} 5/1 3`,
  ]);
});

test("diffSlices() replaces the slices of a driver that named them otherwise, and of another pool", () => {
  const [slice] = stored(devices(3), 2);
  if (slice === undefined) throw new Error("no slice");
  const older = { ...slice, metadata: { ...slice.metadata, name: "n1-dra.net-x7" } };
  const pool = { name: "other", generation: 90, resourceSliceCount: 1 };
  const foreign = { ...slice, metadata: { ...slice.metadata, name: "p" }, spec: { ...slice.spec, pool } };
  expect(story(diffSlices(POOL, want(devices(3)), [older, foreign], FRESH))).toEqual([
    "delete n1-dra.net-x7",
    "delete p",
    "create 00000-dra.net-n1- 3/1 3",
  ]);
});

test("diffSlices() renews the owner when the Node was made anew", () => {
  const pool = { ...POOL, nodeUid: "uid-2" };
  const writes = diffSlices(pool, desiredSlices(pool, devices(2)), stored(devices(2), 4), FRESH);
  expect(story(writes)).toEqual([`update ${A} 4/1 2`]);
  expect(writes.updates[0]?.wanted.metadata?.ownerReferences?.[0]?.uid).toBe("uid-2");
});
