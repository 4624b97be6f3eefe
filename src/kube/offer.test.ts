import { expect, test } from "bun:test";
import fc from "fast-check";
import { validateSlice } from "../../test/fakes/slice-validation.ts";
import type { AttributeValue, Device } from "../inventory/device.ts";
import { offerDevices } from "./offer.ts";
import { desiredSlices, sliceObject } from "./slices.ts";

const device = (name: string, attributes: Record<string, AttributeValue> = {}): Device => ({
  name,
  identity: {},
  attributes,
});

test("offerDevices() sorts devices and attributes, whatever order they come in", () => {
  const a = device("eth1", { "dra.net/mtu": { int: 1500 }, "dra.net/ifName": { string: "eth1" } });
  const b = device("eth0", { "dra.net/rdma": { bool: false } });
  const { devices, problems } = offerDevices([a, b], "dra.net");
  expect(JSON.stringify(devices)).toBe(
    '[{"name":"eth0","attributes":{"dra.net/rdma":{"bool":false}}},' +
      '{"name":"eth1","attributes":{"dra.net/ifName":{"string":"eth1"},"dra.net/mtu":{"int":1500}}}]',
  );
  expect(problems).toEqual([]);
});

test("offerDevices() lets the scheduler give a shareable device to as many claims as it has shares", () => {
  const full = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`dra.net/a${n}`, { int: n }]));
  const { devices } = offerDevices([{ ...device("eth0", full), shares: 8 }, device("eth1")], "dra.net");
  const [shared, whole] = devices;
  expect(shared).toMatchObject({
    allowMultipleAllocations: true,
    capacity: { "dra.net/subInterfaces": { value: "8", requestPolicy: { default: "1", validValues: ["1"] } } },
  });
  expect(Object.keys(shared?.attributes ?? {})).toHaveLength(31);
  expect(whole).toEqual({ name: "eth1", attributes: {} });
  const pool = { driver: "dra.net", nodeName: "n", nodeUid: "u" };
  for (const slice of desiredSlices(pool, devices))
    expect(validateSlice(sliceObject(pool, slice, { generation: 1, count: 1 }))).toEqual([]);
});

test("offerDevices() leaves out a device that no server would take, and says so", () => {
  const { devices, problems } = offerDevices([device("Bad_Name"), device("eth0"), device("eth0")], "dra.net");
  expect(devices.map(({ name }) => name)).toEqual(["eth0"]);
  expect(problems.map(({ problem }) => problem)).toEqual([
    'device "Bad_Name" is left out: its name is no DNS label',
    "device eth0 is left out: another device has the same name",
  ]);
});

test("offerDevices() leaves out single attributes and keeps the device", () => {
  const { devices, problems } = offerDevices(
    [
      device("eth0", {
        "dra.net/bad-name": { bool: true },
        "dra.net/firmware": { version: "28.43" },
        "dra.net/speed": { int: 1.5 },
        "dra.net/mtu": { int: 9000 },
        mtu: { int: 1500 },
        "dra.net/alias": { string: "ü".repeat(40) },
      }),
    ],
    "dra.net",
  );
  expect(devices[0]?.attributes).toEqual({ "dra.net/alias": { string: "ü".repeat(32) }, "dra.net/mtu": { int: 9000 } });
  expect(problems.map(({ attribute }) => attribute)).toEqual([
    "dra.net/bad-name",
    "dra.net/firmware",
    "dra.net/speed",
    "mtu",
  ]);
});

test("offerDevices() keeps the standard and its own attributes when there are more than 32", () => {
  const attributes: Record<string, AttributeValue> = { "resource.kubernetes.io/pcieRoot": { string: "pci0000:00" } };
  for (let i = 0; i < 20; i++) attributes[`aaa.example/x${String(i).padStart(2, "0")}`] = { int: i };
  for (let i = 0; i < 20; i++) attributes[`dra.net/x${String(i).padStart(2, "0")}`] = { int: i };
  const { devices, problems } = offerDevices([device("eth0", attributes)], "dra.net");
  const names = Object.keys(devices[0]?.attributes ?? {});
  expect(names.length).toBe(32);
  expect(names.filter((name) => name.startsWith("dra.net/")).length).toBe(20);
  expect(names).toContain("resource.kubernetes.io/pcieRoot");
  expect(problems.map(({ attribute }) => attribute)).toEqual(
    Array.from({ length: 9 }, (_, i) => `aaa.example/x${i + 11}`),
  );
});

test("offerDevices() makes slices of anything that the API server's validation takes", () => {
  const value = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 90 }).map((string) => ({ string })),
    fc.double().map((int) => ({ int })),
    fc.integer().map((int) => ({ int })),
    fc.boolean().map((bool) => ({ bool })),
    fc.array(fc.integer(), { maxLength: 20 }).map((ints) => ({ ints })),
    fc.string().map((version) => ({ version })),
    fc.constantFrom("1.2.3", "0.0.1-a+b").map((version) => ({ version })),
  );
  const part = fc.stringMatching(/^[A-Za-z_./-][a-z0-9.]{0,40}$/);
  const key = fc.oneof(
    part,
    fc.tuple(part, part).map((pair) => pair.join("/")),
    part.map((id) => `dra.net/${id}`),
  );
  const anyDevice = fc.record({
    name: fc.oneof(fc.string(), fc.stringMatching(/^[a-z][a-z0-9-]{0,70}$/)),
    identity: fc.constant({}),
    attributes: fc.dictionary(key, value, { maxKeys: 50 }),
  });
  fc.assert(
    fc.property(fc.array(anyDevice, { maxLength: 10 }), (devices) => {
      const pool = { driver: "dra.net", nodeName: "n1", nodeUid: "u" };
      const slices = desiredSlices(pool, offerDevices(devices, "dra.net").devices);
      const numbers = { generation: 1, count: slices.length };
      for (const slice of slices) expect(validateSlice(sliceObject(pool, slice, numbers))).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
