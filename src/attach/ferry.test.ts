import { afterEach, beforeEach, expect, test } from "bun:test";
import { openSync } from "node:fs";
import { type BareFerry, bareDevice, bareFerry, sandboxOf } from "../../test/lab/bare-ferry.ts";
import { claimDevice } from "../claims/testing.ts";
import { describeError } from "../lib/errors.ts";

let place: BareFerry;
beforeEach(() => {
  place = bareFerry();
});
afterEach(() => place[Symbol.dispose]());

test("Ferry.endClaim() lets nobody attach between the return and the forgetting", async () => {
  const { ferry, store, receipts } = place;
  store.putDurably([bareDevice()]);
  await ferry.attachSandbox(sandboxOf("s1"), false);
  const given = Promise.withResolvers<void>();
  const ended = ferry.endClaim("claim", async () => {
    await given.promise; // a server is told that a lease is free
    store.removeClaim("claim");
  });
  // A reconciliation to which the sandbox still lives.
  const attached = ferry.attachSandbox(sandboxOf("s1"), true);
  given.resolve();
  await ended;
  expect((await attached).attached).toEqual([]);
  expect(store.records).toEqual([]);
  expect(receipts.claims()).toEqual([]);
});

test("Ferry.endClaim() keeps a claim whose device is not home", async () => {
  const { ferry, store } = place;
  const away = bareDevice({ claimUid: "away", sandboxId: "s1", state: "attached" });
  store.putDurably([away]); // with a link, of which the kernel is asked
  const ended = ferry.endClaim("away", () => Promise.reject(new Error("was forgotten")));
  expect(ended).rejects.toThrow("the kernel is asked for");
  await ended.catch(() => undefined);
  expect(store.get(away)?.state).toBe("detaching");
});

test("Ferry.detachSandbox() brings home what is still on its way there", async () => {
  const { ferry, store } = place;
  const device = bareDevice();
  store.putDurably([device]);
  const released = Promise.withResolvers<void>();
  const blocked = ferry.whilePodRests("pod", () => released.promise);
  const attached = ferry.attachSandbox(sandboxOf("s1"), false);
  const detached = ferry.detachSandbox("s1"); // the hook of the start was answered late
  released.resolve();
  await Promise.all([blocked, attached, detached]);
  expect(store.get(device)).toEqual(device);
});

test("Ferry.attachSandbox() tells why the attach failed, also when the way back fails too", async () => {
  const problems = ["the card is on fire", "the fire has spread"];
  using burning = bareFerry(
    {},
    {
      holdNetns: async () => ({ fd: openSync("/dev/null", "r"), inode: 1 }),
      readRdma: () => Promise.reject(new Error(problems.shift())),
    },
  );
  const rdma = { name: "mlx5_0", moves: true, nodeTypes: [] };
  burning.store.putDurably([bareDevice({ plan: { steps: [], rdma } })]);
  const { failed } = await burning.ferry.attachSandbox(sandboxOf("s1"), false);
  burning.held.release("s1");
  expect(failed.map(describeError)).toEqual([
    "cannot attach pci-0000-3b-00-1 of claim ns/c to pod ns/p: the card is on fire; nor could it be brought home: the fire has spread",
  ]);
});

test("Ferry.attachSandbox() leaves a device in its pod when the pod's links cannot be listed now", async () => {
  const told: string[] = [];
  using busy = bareFerry(
    { attachFailed: () => void told.push("attachFailed"), cameHome: () => void told.push("cameHome") },
    {
      holdNetns: async () => ({ fd: openSync("/dev/null", "r"), inode: 1 }),
      listLinks: () => Promise.reject(new Error("interrupted by changes")),
    },
  );
  const record = claimDevice({ sandboxId: "s1", state: "attached" });
  busy.store.putDurably([record]);
  busy.ferry.writeReceipt("claim");
  const { failed } = await busy.ferry.attachSandbox(sandboxOf("s1"), true);
  busy.held.release("s1");
  expect(failed.map(describeError)).toEqual([
    "whether eth1 of claim ns/c is still in pod ns/p is not known: interrupted by changes",
  ]);
  expect([busy.store.get(record), busy.receipts.claims(), told]).toEqual([record, ["claim"], []]);
});
