import { expect, test } from "bun:test";
import { claimDevice, link } from "../claims/testing.ts";
import type { InterfaceConfig } from "../config/interface.ts";
import { planChild } from "./child-plan.ts";
import { checkNotAway, checkParent, checkSharing } from "./sharing.ts";

function holder(name: string, config: InterfaceConfig, device = "eth1") {
  const child = planChild(config, link());
  const plan = { ifname: "net1", steps: [], ...(child === undefined ? {} : { child }) };
  return claimDevice({
    claimUid: name,
    claimName: name,
    podName: `pod-${name}`,
    shareId: `share-${name}`,
    device,
    plan,
  });
}

function refusal(task: () => void): string | undefined {
  try {
    task();
  } catch (error) {
    return String(error);
  }
  return undefined;
}

const whole = holder("whole", {});
const bridge = holder("bridge", { type: "MACVLAN" });

test("checkSharing() lets children stand side by side on one parent", () => {
  const vlan = (id: number) => holder(`vlan${id}`, { type: "VLAN", vlan: { id } });
  expect(refusal(() => checkSharing([holder("other", { type: "MACVLAN" })], [bridge]))).toBeUndefined();
  expect(refusal(() => checkSharing([vlan(5), vlan(6)], [bridge]))).toBeUndefined();
  expect(refusal(() => checkSharing([holder("e", {}, "eth2")], [bridge, whole]))).toBeUndefined();
  expect(refusal(() => checkSharing([bridge], [bridge]))).toBeUndefined();
});

test("checkSharing() names the holder when a device would be passed through and shared", () => {
  expect(refusal(() => checkSharing([bridge], [whole]))).toContain(
    "device eth1 is passed through to claim ns/whole of pod ns/pod-whole, and cannot be the parent of another link meanwhile",
  );
  expect(refusal(() => checkSharing([whole], [bridge]))).toContain(
    "device eth1 is the parent of a link of claim ns/bridge of pod ns/pod-bridge, and cannot be passed through meanwhile",
  );
  expect(refusal(() => checkSharing([holder("other", {})], [whole]))).toContain(
    "device eth1 is passed through to claim ns/whole of pod ns/pod-whole already",
  );
  expect(refusal(() => checkSharing([bridge, whole], []))).toContain("cannot be passed through meanwhile");
});

test("checkNotAway() names the holder of a device that is not on the host to be looked at", () => {
  expect(refusal(() => checkNotAway("eth1", true, [whole]))).toContain("is passed through to claim ns/whole");
  expect(refusal(() => checkNotAway("eth1", false, [whole]))).toContain("a link is in one place only");
  expect(refusal(() => checkNotAway("eth2", true, [whole]))).toBeUndefined();
  expect(refusal(() => checkNotAway("eth1", true, [bridge]))).toBeUndefined();
});

test("checkSharing() refuses children that the kernel would refuse, or that would change one another", () => {
  const l2 = holder("l2", { type: "IPVLAN" });
  expect(refusal(() => checkSharing([l2], [bridge]))).toContain(
    "device eth1 has a link of claim ns/bridge of pod ns/pod-bridge on it already, and macvlan and ipvlan links exclude each other",
  );
  expect(refusal(() => checkSharing([holder("l3", { type: "IPVLAN", ipvlan: { mode: "l3" } })], [l2]))).toContain(
    "all ipvlan links on one parent have the same mode",
  );
  const vlan = (name: string, protocol: "802.1Q" | "802.1ad") =>
    holder(name, { type: "VLAN", vlan: { id: 5, protocol } });
  expect(refusal(() => checkSharing([vlan("a", "802.1Q")], [vlan("b", "802.1ad")]))).toBeUndefined();
  expect(refusal(() => checkSharing([vlan("a", "802.1Q")], [vlan("b", "802.1Q")]))).toContain(
    "two links on one parent cannot have the same VLAN",
  );
});

test("checkParent() minds what the host has on the parent", () => {
  const child = bridge.plan.child;
  if (child === undefined) throw new Error("no child");
  const parent = link({ master: 3 });
  const bridgePort = () => checkParent(child, parent, [parent, link({ ifindex: 3, ifname: "br0", kind: "bridge" })]);
  expect(refusal(bridgePort)).toContain("eth1 is a port of br0, which takes all that comes in");
  expect(refusal(() => checkParent(child, parent, [parent, link({ ifindex: 3, kind: "vrf" })]))).toBeUndefined();
  const own = link({ ifindex: 9, ifname: "ipv0", kind: "ipvlan", lower: 7 });
  expect(refusal(() => checkParent(child, link(), [link(), own]))).toContain(
    "eth1 has ipv0 of the host on it already, and ipvlan and macvlan links exclude each other",
  );
  expect(refusal(() => checkParent(child, link(), [link(), { ...own, linkNetnsId: 1 }]))).toBeUndefined();
  expect(refusal(() => checkParent(child, link(), [link(), { ...own, lower: 8 }]))).toBeUndefined();
});
