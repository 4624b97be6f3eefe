import { afterEach, beforeEach, expect, test } from "bun:test";
import { type BareFerry, bareDevice, bareFerry, sandboxOf } from "../../test/lab/bare-ferry.ts";

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
