import { expect, test } from "bun:test";
import type { Device } from "../inventory/device.ts";
import { enriched } from "./enrich.ts";

const device: Device = {
  name: "eth1",
  identity: { ifname: "eth1" },
  attributes: { "dra.net/ifName": { string: "eth1" }, "resource.kubernetes.io/pcieRoot": { string: "pci0000:00" } },
};

test("enriched() sorts the attributes in, cuts texts, and lets the provider correct ours", () => {
  const found = enriched(device, {
    "gce.dra.net/block": { string: "é".repeat(40) },
    "resource.kubernetes.io/pcieRoot": { string: "pci0001:00" },
    "a.example/rail": { int: 1 },
  });
  expect(Object.entries(found.attributes)).toEqual([
    ["a.example/rail", { int: 1 }],
    ["dra.net/ifName", { string: "eth1" }],
    ["gce.dra.net/block", { string: "é".repeat(32) }],
    ["resource.kubernetes.io/pcieRoot", { string: "pci0001:00" }],
  ]);
  expect(found.identity).toBe(device.identity);
});

test("enriched() is the same device when there is nothing to add", () => {
  expect(enriched(device, {})).toBe(device);
});
