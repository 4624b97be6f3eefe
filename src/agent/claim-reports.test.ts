import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { ApiLab } from "../../test/fakes/api-client.ts";
import type { FakeApiServer } from "../../test/fakes/api-server.ts";
import { eventually } from "../../test/fakes/eventually.ts";
import type { ClaimDevice } from "../claims/record.ts";
import { ClaimStore } from "../claims/store.ts";
import { claimDevice } from "../claims/testing.ts";
import { parseClaim } from "../kube/claims.ts";
import type { KubeEvent } from "../kube/client/wire.ts";
import { systemClock } from "../lib/clock.ts";
import { ClaimError } from "../lib/errors.ts";
import { silentLogger } from "../lib/log.ts";
import { superviseAll } from "../lib/supervise.ts";
import { ClaimReports } from "./claim-reports.ts";

const CLAIMS = "/apis/resource.k8s.io/v1/namespaces/ns/resourceclaims";
const EVENTS = "/api/v1/namespaces/ns/events";
const lab = new ApiLab();
let server: FakeApiServer;
let store: ClaimStore;
let reports: ClaimReports;
let stop: AbortController;
let running: Promise<void>;
beforeAll(async () => {
  server = await lab.start();
});
afterAll(() => lab[Symbol.asyncDispose]());
beforeEach(() => {
  store = ClaimStore.open(":memory:", "boot");
  start();
});
afterEach(async () => {
  await end();
  store[Symbol.dispose]();
  for (const collection of [CLAIMS, EVENTS])
    for (const { metadata } of server.store.list(collection)) server.store.remove(collection, String(metadata.name));
});

function start(): void {
  stop = new AbortController();
  reports = new ClaimReports({
    client: lab.client(server),
    store,
    driver: "dra.net",
    nodeName: "worker-1",
    clock: systemClock,
    log: silentLogger,
  });
  running = superviseAll(stop.signal, reports.tasks);
}

async function end(): Promise<void> {
  stop.abort();
  await running;
}

test("ClaimReports has both devices of a claim in its status: the one that is there, and why the other is not", async () => {
  const { first, second } = preparedClaim();
  put({ ...first, state: "attached" });
  reports.attached({ ...first, state: "attached" });
  put(atHome(second));
  reports.attachFailed(second, new ClaimError("cannot attach eth2", { cause: new Error("no such link") }));
  await shows("eth1 True NetworkDeviceReady", "eth2 False AttachFailed");
  expect(devices()[1]?.conditions[0]?.message).toBe("cannot attach eth2: no such link");
  await eventually("the pod has the event", () => events().length === 1);
  expect(events()[0]).toMatchObject({
    reason: "NetworkDeviceAttachFailed",
    message: "cannot attach eth2: no such link",
    involvedObject: { kind: "Pod", name: "p", uid: "pod" },
  });
  put({ ...second, state: "attached" });
  reports.attached({ ...second, state: "attached" });
  await shows("eth1 True NetworkDeviceReady", "eth2 True NetworkDeviceReady");
});

test("ClaimReports writes nothing of a device on its way: once it is there the claim is written, once", async () => {
  const { claim, first } = preparedClaim();
  server.seen.length = 0;
  reports.prepared(parseClaim(server.store.get(`${CLAIMS}/c`), "dra.net"));
  put({ ...first, state: "attaching" });
  const other = preparedClaim("other");
  put({ ...other.first, state: "attached" });
  reports.attached({ ...other.first, state: "attached" });
  // Written in the order in which they came: the first would be there by now.
  await eventually("the other one is written", () => server.writes.length === 1);
  expect(server.writes[0]?.path).toBe(`${CLAIMS}/other/status`);
  put({ ...first, state: "attached" });
  reports.attached({ ...first, state: "attached" });
  await shows("eth1 True NetworkDeviceReady");
  store.removeClaim(claim.uid);
  reports.unprepared(claim);
  await shows();
  const aboutIt = server.seen.filter(({ path }) => path.startsWith(`${CLAIMS}/c`));
  expect(aboutIt.map(({ method }) => method)).toEqual(["PATCH", "PATCH"]);
});

test("ClaimReports clears a claim that is unprepared, with the troubles that it had", async () => {
  const { claim, first } = preparedClaim();
  put(atHome(first));
  reports.attachFailed(first, new ClaimError("no"));
  await shows("eth1 False AttachFailed");
  store.removeClaim(claim.uid);
  reports.unprepared(claim);
  await shows();
  put(atHome(first));
  reports.prepared(parseClaim(server.store.get(`${CLAIMS}/c`), "dra.net"));
  put({ ...first, state: "attached" });
  reports.attached({ ...first, state: "attached" });
  await shows("eth1 True NetworkDeviceReady");
});

test("ClaimReports mends at its start what an agent before it left", async () => {
  const { first } = preparedClaim();
  put({ ...first, state: "attached" });
  reports.attached({ ...first, state: "attached" });
  await shows("eth1 True NetworkDeviceReady");
  await end();
  put(atHome(first)); // it came home, and the agent died before it could say so
  start();
  await shows();
});

test("ClaimReports warns of a late device, of one that stays away, and of one that is lost", async () => {
  const { first } = preparedClaim();
  const late = { ...first, state: "attached", attachment: { ...first.attachment, late: true } } as ClaimDevice;
  put(late);
  reports.attached(late);
  await eventually("the pod is warned", () => events().length === 1);
  reports.returnFailed(late, new ClaimError("the name eth1 is taken"));
  await shows("eth1 False ReturnFailed");
  put(atHome(first));
  reports.lost(late, "its parent is gone");
  await shows("eth1 False DeviceLost");
  await eventually("all is told", () => events().length === 4);
  expect(
    events()
      .map(({ reason, involvedObject }) => `${reason} ${involvedObject.kind}`)
      .sort(),
  ).toEqual(["DeviceAttachedLate Pod", "DeviceLost Pod", "DeviceLost ResourceClaim", "DeviceReturnFailed Pod"]);
});

test("ClaimReports warns by DRANET's reason for RDMA of a device that has no link", async () => {
  const { first } = preparedClaim();
  const identity = { pciAddress: "0000:3b:00.1", rdmaName: "mlx5_1" };
  const rdma = { ...first, published: { ...first.published, identity }, plan: { steps: [] } };
  put(rdma);
  reports.attachFailed(rdma, new ClaimError("mlx5_1 is in use"));
  await eventually("the pod has the event", () => events().length === 1);
  expect(events()[0]).toMatchObject({
    type: "Warning",
    reason: "RDMADeviceAttachFailed",
    message: "mlx5_1 is in use",
    source: { component: "dra.net", host: "worker-1" },
    involvedObject: { kind: "Pod", name: "p", uid: "pod" },
  });
});

test("ClaimReports warns on the claim that Prepare failed, once for the same reason", async () => {
  const claim = { namespace: "ns", name: "c", uid: "claim" };
  for (let i = 0; i < 3; i++) reports.prepareFailed(claim, new ClaimError("device eth9 is not on this node"));
  reports.prepareFailed(claim, new ClaimError("another reason"));
  await eventually("both are told", () => events().length === 2);
  expect(
    events()
      .map(({ reason, message, involvedObject }) => [reason, message, involvedObject.kind])
      .sort(),
  ).toEqual([
    ["ClaimPrepareFailed", "another reason", "ResourceClaim"],
    ["ClaimPrepareFailed", "device eth9 is not on this node", "ResourceClaim"],
  ]);
});

/** A claim with two devices, allocated, and what the store has of it. */
function preparedClaim(name = "c") {
  const results = ["eth1", "eth2"].map((device) => ({ request: device, driver: "dra.net", pool: "node", device }));
  const stored = server.store.add(CLAIMS, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name, namespace: "ns" },
    status: { allocation: { devices: { results } } },
  });
  const uid = String(stored.metadata.uid);
  const record = (device: string) =>
    claimDevice({ claimUid: uid, claimName: name, request: device, device, sandboxId: "s" });
  return { claim: { namespace: "ns", name, uid }, first: record("eth1"), second: record("eth2") };
}

function put(record: ClaimDevice): void {
  store.put([record]);
}

function atHome({ attachment: _, ...record }: ClaimDevice): ClaimDevice {
  return { ...record, state: "prepared" };
}

function devices() {
  return parseClaim(server.store.get(`${CLAIMS}/c`), "dra.net").devices;
}

/** Waits until these are the claim's devices, with their condition Ready. */
async function shows(...wanted: readonly string[]): Promise<void> {
  const shown = () =>
    devices().map(({ device, conditions }) => {
      const ready = conditions.find(({ type }) => type === "Ready");
      return `${device} ${ready?.status} ${ready?.reason}`;
    });
  await eventually(`the claim shows ${wanted.join(", ")}`, () => Bun.deepEquals(shown().sort(), [...wanted]));
}

function events(): readonly KubeEvent[] {
  return server.store.list(EVENTS) as unknown as KubeEvent[];
}
