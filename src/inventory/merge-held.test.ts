import { expect, test } from "bun:test";
import type { Device, DeviceIdentity } from "./device.ts";
import { mergeHeld } from "./merge-held.ts";

function aDevice(name: string, identity: DeviceIdentity, mtu = 1500): Device {
  return { name, identity, attributes: { "dra.net/mtu": { int: mtu } } };
}

test("mergeHeld() gives the same bytes before the attach, during it and after the return", () => {
  const other = aDevice("eth9", { ifname: "eth9", ifindex: 9 });
  const held = aDevice("eth1", { ifname: "eth1", ifindex: 2, permanentAddress: "02:00:00:00:00:01" });
  const before = mergeHeld([held, other], [held]);
  const during = mergeHeld([other], [held]);
  const underPodName = aDevice("net1", { ifname: "net1", ifindex: 12, permanentAddress: "02:00:00:00:00:01" }, 9000);
  const afterKernelReturn = mergeHeld([underPodName, other], [held]);
  const changed = mergeHeld([aDevice("eth1", { ifname: "eth1", ifindex: 2 }, 9000), other], [held]);
  expect(before).toEqual([held, other]);
  for (const list of [during, afterKernelReturn, changed]) expect(JSON.stringify(list)).toBe(JSON.stringify(before));
});

test("mergeHeld() publishes a held device among the scanned ones by name", () => {
  const scanned = [aDevice("a", {}), aDevice("c", {})];
  expect(mergeHeld(scanned, [aDevice("b", {})]).map((device) => device.name)).toEqual(["a", "b", "c"]);
});

test("mergeHeld() lets the second link of a function keep its name while the first is in a pod", () => {
  const pciAddress = "0000:05:00.0";
  const first = aDevice("pci-0000-05-00-0", { ifname: "eth0", pciAddress, permanentAddress: "02:00:00:00:00:01" });
  const second = { ifname: "eth1", pciAddress, permanentAddress: "02:00:00:00:00:02" };
  const merged = mergeHeld([aDevice("pci-0000-05-00-0", second)], [first]);
  expect(merged.map((device) => [device.name, device.identity.ifname])).toEqual([
    ["eth1", "eth1"],
    ["pci-0000-05-00-0", "eth0"],
  ]);
});

test("mergeHeld() publishes a device that several claims share once, as the first of them found it", () => {
  const [first, second] = [aDevice("eth1", { ifname: "eth1" }), aDevice("eth1", { ifname: "eth1" }, 9000)];
  expect(mergeHeld([second], [first, second])).toEqual([first]);
});
