import { expect, test } from "bun:test";
import { parse } from "yaml";
import type { Device } from "../inventory/device.ts";
import { formatDevices, formatLeftOut, formatTables } from "./devices-output.ts";

const DEVICES: Device[] = [
  {
    name: "eth1",
    identity: { ifname: "eth1", ifindex: 3 },
    attributes: {
      "dra.net/alias": { string: "rack\n7" },
      "dra.net/ifName": { string: "eth1" },
      "dra.net/ipv4": { string: "10.0.0.2/24" },
      "dra.net/ipv6": { string: "2001:db8::2/64" },
      "dra.net/mtu": { int: 9000 },
      "dra.net/rdma": { bool: false },
      "dra.net/state": { string: "up" },
      "dra.net/type": { string: "veth" },
    },
  },
  {
    name: "pci-0000-3b-00-0",
    identity: { pciAddress: "0000:3b:00.0", rdmaName: "mlx5_0" },
    attributes: {
      "dra.net/numaNode": { int: 1 },
      "dra.net/pciAddress": { string: "0000:3b:00.0" },
      "dra.net/rdma": { bool: true },
      "dra.net/rdmaDevice": { string: "mlx5_0" },
      "resource.kubernetes.io/pcieRoot": { string: "pci0000:3a" },
    },
  },
];

test("formatTables() prints a table", () => {
  expect(formatTables(DEVICES, "table", "dra.net").split("\n")).toEqual([
    "NAME              IFNAME  TYPE  STATE  MTU   PCI           NUMA  RDMA    ADDRESSES",
    "eth1              eth1    veth  up     9000  -             -     no      10.0.0.2/24,2001:db8::2/64",
    "pci-0000-3b-00-0  -       -     -      -     0000:3b:00.0  1     mlx5_0  -",
    "",
  ]);
});

test("formatTables() prints more columns when wide, and no control characters", () => {
  const text = formatTables(DEVICES, "wide", "dra.net");
  expect(text.split("\n")).toHaveLength(4);
  expect(text).toContain("rack?7");
  expect(text).toContain("pci0000:3a");
});

test("formatTables() prints a header alone when there is no device", () => {
  expect(formatTables([], "table", "dra.net")).toBe("NAME  IFNAME  TYPE  STATE  MTU  PCI  NUMA  RDMA  ADDRESSES\n");
});

test("formatDevices() gives what is published as JSON and YAML, without the node's own identity", () => {
  const published = DEVICES.map(({ name, attributes }) => ({ name, attributes }));
  expect(JSON.parse(formatDevices(DEVICES, "json"))).toEqual(published);
  expect(parse(formatDevices(DEVICES, "yaml"))).toEqual(published);
});

test("formatLeftOut() prints a row for each reason", () => {
  const absent = [
    { name: "br0", why: "is of a kind" },
    { name: "eth0", why: "is the uplink" },
    { name: "br1", why: "is of a kind" },
  ];
  expect(formatLeftOut(absent).split("\n")).toEqual([
    "",
    "NOT OFFERED, SINCE IT  NAMES",
    "is of a kind           br0 br1",
    "is the uplink          eth0",
    "",
  ]);
  expect(formatLeftOut([])).toBe("");
});
