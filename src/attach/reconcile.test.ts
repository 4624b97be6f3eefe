import { expect, test } from "bun:test";
import type { ClaimDevice } from "../claims/record.ts";
import { claimDevice } from "../claims/testing.ts";
import { type ReconcileFacts, reconcilePlan } from "./reconcile.ts";

const sandbox = (id: string, podUid = "pod") => ({
  id,
  podUid,
  podName: "p",
  podNamespace: "ns",
  netnsPath: `/run/netns/${id}`,
});
const inSandbox = (id: string, state: ClaimDevice["state"] = "attached") => claimDevice({ state, sandboxId: id });
const facts = (over: Partial<ReconcileFacts>): ReconcileFacts => ({
  records: [],
  sandboxes: new Map(),
  exists: () => true,
  receipts: [],
  ...over,
});
const known = (...list: ReturnType<typeof sandbox>[]) => new Map(list.map((s) => [s.id, s]));

test("reconcilePlan() leaves an attached device of a live sandbox where it is", () => {
  const plan = reconcilePlan(
    facts({ records: [inSandbox("s1")], sandboxes: known(sandbox("s1")), receipts: ["claim"] }),
  );
  expect(plan.detach).toEqual([]);
  expect(plan.removeReceipts).toEqual([]);
  expect(plan.writeReceipts).toEqual(["claim"]);
});

test("reconcilePlan() attaches a prepared device to its pod's live sandbox", () => {
  const plan = reconcilePlan(
    facts({ records: [claimDevice({})], sandboxes: known(sandbox("s1"), sandbox("s2", "other")) }),
  );
  expect(plan.attach.map((s) => s.id)).toEqual(["s1"]);
});

test("reconcilePlan() brings home what sits in a sandbox that the runtime no longer knows", () => {
  const plan = reconcilePlan(
    facts({ records: [inSandbox("old")], sandboxes: known(sandbox("new")), receipts: ["claim"] }),
  );
  expect(plan.detach).toEqual(["old"]);
  expect(plan.attach.map((s) => s.id)).toEqual(["new"]);
  expect(plan.removeReceipts).toEqual(["claim"]);
});

test("reconcilePlan() trusts the namespace file, not the list, while no runtime is connected", () => {
  const records = [inSandbox("s1")];
  expect(reconcilePlan(facts({ records, sandboxes: undefined })).detach).toEqual([]);
  expect(reconcilePlan(facts({ records, sandboxes: undefined, exists: () => false })).detach).toEqual(["s1"]);
});

test("reconcilePlan() leaves what a pod with the host's network has, which has no namespace file", () => {
  const record = inSandbox("s1");
  const attachment = { sandboxId: "s1", temporaryName: "nfabc", late: false };
  const records = [{ ...record, attachment }];
  expect(reconcilePlan(facts({ records, sandboxes: undefined, exists: () => false })).detach).toEqual([]);
  expect(reconcilePlan(facts({ records, exists: () => false })).detach).toEqual(["s1"]);
});

test("reconcilePlan() does not attach to a sandbox whose namespace is gone", () => {
  const plan = reconcilePlan(
    facts({ records: [claimDevice({})], sandboxes: known(sandbox("s1")), exists: () => false }),
  );
  expect(plan.attach).toEqual([]);
});

test("reconcilePlan() finishes an interrupted return and does not attach meanwhile", () => {
  const records = [inSandbox("s1", "detaching")];
  const plan = reconcilePlan(facts({ records, sandboxes: known(sandbox("s1")) }));
  expect([plan.detach, plan.finish, plan.attach]).toEqual([[], ["s1"], []]);
  expect(reconcilePlan(facts({ records, sandboxes: undefined })).finish).toEqual(["s1"]);
  const gone = reconcilePlan(facts({ records }));
  expect([gone.detach, gone.finish]).toEqual([["s1"], []]);
});

test("reconcilePlan() removes a receipt that has no device behind it", () => {
  const plan = reconcilePlan(facts({ records: [claimDevice({})], receipts: ["claim", "unknown"] }));
  expect(plan.removeReceipts).toEqual(["claim", "unknown"]);
});
