import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { eventually } from "../../test/fakes/eventually.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { type BareFerry, bareDevice, bareFerry, sandboxOf } from "../../test/lab/bare-ferry.ts";
import type { ClaimDevice } from "../claims/record.ts";
import { silentLogger } from "../lib/log.ts";
import { NetnsFiles } from "./netns-files.ts";
import { Reconciler } from "./reconciler.ts";

let netnsDir: string;
let place: BareFerry;
let reconciler: Reconciler;
const runs: string[] = [];
const homes: ClaimDevice[] = [];
const stop = { controller: new AbortController(), running: Promise.resolve() };

beforeEach(() => {
  netnsDir = mkdtempSync(join(tmpdir(), "netferry-netns-"));
  runs.length = 0;
  homes.length = 0;
  place = bareFerry({ cameHome: (record) => void homes.push(record) });
  reconciler = new Reconciler({
    ...place,
    files: new NetnsFiles(netnsDir),
    clock: new ManualClock(),
    log: silentLogger,
    onRun: (reason) => runs.push(reason),
  });
  stop.controller = new AbortController();
});
afterEach(async () => {
  stop.controller.abort();
  await stop.running;
  reconciler[Symbol.dispose]();
  place[Symbol.dispose]();
  rmSync(netnsDir, { recursive: true });
});

/** A sandbox with its namespace file. */
function started(id: string, podUid?: string) {
  const sandbox = sandboxOf(id, podUid);
  writeFileSync(join(netnsDir, basename(sandbox.netnsPath)), "");
  return sandbox;
}

test("a sandbox that was replaced while others were attended to does not get the device back", async () => {
  const { store, ferry } = place;
  const device = bareDevice();
  const slow = bareDevice({ claimUid: "slow", podUid: "slow" });
  store.putDurably([slow, device]);
  const old = started("old");
  reconciler.setSandboxes([started("s", "slow"), old]);
  // The run has decided what to do, and stands before the first pod.
  const released = Promise.withResolvers<void>();
  const blocked = ferry.whilePodRests("slow", () => released.promise);
  stop.running = reconciler.run(stop.controller.signal);
  await eventually("the reconciliation runs", () => runs.length === 1);
  // What a kubelet does that replaces a sandbox.
  reconciler.sandboxGone(old.id);
  await ferry.detachSandbox(old.id);
  const young = started("young");
  reconciler.sandboxStarted(young);
  expect((await ferry.attachSandbox(young, false)).failed).toEqual([]);
  released.resolve();
  await blocked;
  await eventually("the other pod has its device", () => store.get(slow)?.state === "attached");
  await ferry.whilePodRests("pod", async () => undefined);
  expect(store.get(device)?.attachment?.sandboxId).toBe("young");
});

test("a return that was not finished goes on without the pod's other devices", async () => {
  const { store } = place;
  const sandbox = started("s1");
  const there = bareDevice({ sandboxId: "s1", state: "attached" });
  const { snapshot: _, ...attachment } = there.attachment ?? { sandboxId: "s1", temporaryName: "", late: false };
  const stays = { ...there, attachment };
  const returning = { ...stays, claimUid: "other", state: "detaching" as const };
  store.putDurably([stays, returning]);
  reconciler.setSandboxes([sandbox]);
  stop.running = reconciler.run(stop.controller.signal);
  await eventually("it is home", () => store.get(returning)?.state !== "detaching");
  expect(homes.map(({ claimUid }) => claimUid)).toEqual(["other"]);
  expect(store.get(stays)).toEqual(stays);
});
