/** A device without a link, from attach to its return: nothing of the kernel is asked for it. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Receipts } from "../cdi/receipts.ts";
import type { ClaimDevice } from "../claims/record.ts";
import { ClaimStore } from "../claims/store.ts";
import { claimDevice } from "../claims/testing.ts";
import type { Kernel } from "../kernel/calls.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { Ferry } from "./ferry.ts";
import { HeldNamespaces } from "./held-namespaces.ts";

const UNASKED = new Proxy({} as Kernel, {
  get(_, call) {
    throw new Error(`the kernel is asked for ${String(call)}`);
  },
});
const NODE = { path: "/dev/infiniband/uverbs0", major: 231, minor: 192, permissions: "rw" };
const RECORD = claimDevice({
  device: "pci-0000-3b-00-1",
  published: { name: "pci-0000-3b-00-1", identity: { pciAddress: "0000:3b:00.1" }, attributes: {} },
  plan: { steps: [], deviceNodes: [NODE] },
});
const SANDBOX = { id: "s1", podUid: "pod", podName: "p", podNamespace: "ns" };
const RECEIPT = "netferry-dra.net-claim.json";

let directory: string;
let store: ClaimStore;
let ferry: Ferry;
let held: HeldNamespaces;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "netferry-bare-"));
  store = ClaimStore.open(":memory:", "boot");
  held = new HeldNamespaces(UNASKED);
  const receipts = new Receipts(directory, "dra.net");
  const parts = {
    kernel: UNASKED,
    slowKernel: UNASKED,
    sysfsRoot: "/sys",
    store,
    held,
    receipts,
    driver: "dra.net",
    clock: systemClock,
    log: silentLogger,
    observer: {},
  };
  ferry = new Ferry(parts);
  store.putDurably([RECORD]);
});
afterEach(() => {
  store[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

function edits(): unknown {
  return JSON.parse(readFileSync(join(directory, RECEIPT), "utf8")).devices[0].containerEdits;
}

test("its receipt is guarded by the sandbox's namespace file, and goes when the sandbox does", async () => {
  const { failed } = await ferry.attachSandbox({ ...SANDBOX, netnsPath: "/run/netns/cni-1" }, false);
  expect(failed).toEqual([]);
  expect(edits()).toMatchObject({
    deviceNodes: [{ path: NODE.path, type: "c", major: 231, minor: 192, permissions: "rw" }],
    mounts: [{ hostPath: "/run/netns/cni-1", options: ["ro", "bind", "nosuid", "nodev", "noexec"] }],
  });
  expect(held.count).toBe(0);
  await ferry.detachSandbox(SANDBOX.id);
  expect(edits).toThrow("ENOENT");
  expect(store.get(RECORD)).toEqual(RECORD);
});

test("it is given to a pod with the host's network, to which a link is refused", async () => {
  const link: ClaimDevice = claimDevice({ claimUid: "other" });
  store.putDurably([link]);
  const { attached, failed } = await ferry.attachSandbox(SANDBOX, false);
  expect(attached.map(({ device }) => device)).toEqual([RECORD.device]);
  expect(failed.map((error) => error.message)).toEqual([
    "pod ns/p uses the host's network, where only character devices can be given to it: unset hostNetwork",
  ]);
  expect(edits()).not.toHaveProperty("mounts");
});

test("it goes from an older sandbox to the new one of the same pod", async () => {
  await ferry.attachSandbox({ ...SANDBOX, netnsPath: "/run/netns/cni-1" }, false);
  await ferry.attachSandbox({ ...SANDBOX, id: "s2", netnsPath: "/run/netns/cni-2" }, false);
  expect(edits()).toMatchObject({ env: ["NETFERRY_SANDBOX_claim=s2"], mounts: [{ hostPath: "/run/netns/cni-2" }] });
});
