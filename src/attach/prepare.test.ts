import { afterEach, beforeEach, expect, test } from "bun:test";
import { type BareFerry, bareFerry, NODE, sandboxOf } from "../../test/lab/bare-ferry.ts";
import type { Kernel } from "../kernel/calls.ts";
import type { AllocatedClaim } from "./allocated.ts";
import { prepareClaim } from "./prepare.ts";

/** A node with two RDMA devices that have no links, in shared mode: nothing moves. */
const names = ["rxe0", "rxe1"];
const kernel: Partial<Kernel> = {
  readRdma: async () => ({ devices: names.map((name, index) => ({ index, name, ports: [] })) }),
  rdmaNodes: async () => ({ nodes: [NODE], missing: [] }),
};
const POD = { uid: "pod", name: "p", namespace: "ns", hostNetwork: false };
const SIGNAL = new AbortController().signal;

let place: BareFerry;
/** What is in the way of a plan. */
let looksForDevice: () => Promise<void>;
beforeEach(() => {
  place = bareFerry({}, kernel);
  looksForDevice = async () => undefined;
});
afterEach(() => place[Symbol.dispose]());

function prepare(devices: readonly string[], pod = POD) {
  const claim: AllocatedClaim = {
    uid: "claim",
    namespace: "ns",
    name: "c",
    devices: devices.map((device) => ({ request: "nic", pool: "node", device, config: {} })),
  };
  const parts = {
    ...place,
    kernel: kernel as Kernel,
    sysfsRoot: "/sys",
    leases: { take: () => Promise.reject(new Error("there is no DHCP here")), release: async () => undefined },
    findDevice: async (name: string) => {
      await looksForDevice();
      return { name, identity: { rdmaName: name }, attributes: {} };
    },
  };
  return prepareClaim(parts, claim, pod, SIGNAL);
}

test("prepareClaim() leaves nothing of an earlier allocation of the claim, in the pod or in the store", async () => {
  await prepare(["rxe0"]);
  await place.ferry.attachSandbox(sandboxOf("s1"), false);
  await prepare(["rxe1"]);
  expect(place.store.records.map(({ device, state }) => [device, state])).toEqual([["rxe1", "prepared"]]);
  expect(place.receipts.claims()).toEqual([]);
  await place.ferry.attachSandbox(sandboxOf("s2"), false);
  expect(place.receipts.claims()).toEqual(["claim"]);
});

test("prepareClaim() does not forget a device that went into another pod while it was planned for this one", async () => {
  await prepare(["rxe0"]);
  looksForDevice = async () => {
    await place.ferry.attachSandbox(sandboxOf("s1"), false);
  };
  const prepared = prepare(["rxe0"], { ...POD, uid: "other", name: "q" });
  expect(prepared).rejects.toThrow("device rxe0 of claim ns/c went into pod ns/p while it was prepared for pod ns/q");
  await prepared.catch(() => undefined);
  expect(place.store.records.map(({ podUid, state }) => [podUid, state])).toEqual([["pod", "attached"]]);
});
