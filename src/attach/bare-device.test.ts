/** A device without a link, from attach to its return: nothing of the kernel is asked for it. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BareFerry, bareDevice, bareFerry, NODE } from "../../test/lab/bare-ferry.ts";
import type { ClaimDevice } from "../claims/record.ts";
import { claimDevice } from "../claims/testing.ts";

const RECORD = bareDevice();
const SANDBOX = { id: "s1", podUid: "pod", podName: "p", podNamespace: "ns" };
const RECEIPT = "netferry-dra.net-claim.json";

let place: BareFerry;
beforeEach(() => {
  place = bareFerry();
  place.store.putDurably([RECORD]);
});
afterEach(() => place[Symbol.dispose]());

function edits(): unknown {
  return JSON.parse(readFileSync(join(place.directory, RECEIPT), "utf8")).devices[0].containerEdits;
}

test("its receipt is guarded by the sandbox's namespace file, and goes when the sandbox does", async () => {
  const { failed } = await place.ferry.attachSandbox({ ...SANDBOX, netnsPath: "/run/netns/cni-1" }, false);
  expect(failed).toEqual([]);
  expect(edits()).toMatchObject({
    deviceNodes: [{ path: NODE.path, type: "c", major: 231, minor: 192, permissions: "rw" }],
    mounts: [{ hostPath: "/run/netns/cni-1", options: ["ro", "bind", "nosuid", "nodev", "noexec"] }],
  });
  expect(place.held.count).toBe(0);
  await place.ferry.detachSandbox(SANDBOX.id);
  expect(edits).toThrow("ENOENT");
  expect(place.store.get(RECORD)).toEqual(RECORD);
});

test("it is given to a pod with the host's network, to which a link is refused", async () => {
  const link: ClaimDevice = claimDevice({ claimUid: "other" });
  place.store.putDurably([link]);
  const { attached, failed } = await place.ferry.attachSandbox(SANDBOX, false);
  expect(attached.map(({ device }) => device)).toEqual([RECORD.device]);
  expect(failed.map((error) => error.message)).toEqual([
    "pod ns/p uses the host's network, where only character devices can be given to it: unset hostNetwork",
  ]);
  expect(edits()).not.toHaveProperty("mounts");
});

test("it goes from an older sandbox to the new one of the same pod", async () => {
  await place.ferry.attachSandbox({ ...SANDBOX, netnsPath: "/run/netns/cni-1" }, false);
  await place.ferry.attachSandbox({ ...SANDBOX, id: "s2", netnsPath: "/run/netns/cni-2" }, false);
  expect(edits()).toMatchObject({ env: ["NETFERRY_SANDBOX_claim=s2"], mounts: [{ hostPath: "/run/netns/cni-2" }] });
});
