import { expect, test } from "bun:test";
import { ApiLab } from "../../test/fakes/api-client.ts";
import { type FakeApiServer, SLICES } from "../../test/fakes/api-server.ts";
import { eventually } from "../../test/fakes/eventually.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import type { Stored } from "../../test/fakes/object-store.ts";
import type { Device } from "../inventory/device.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import { createLogger } from "../lib/log.ts";
import { type Published, SlicePublisher, type SlicePublisherOptions } from "./publisher.ts";

const QUICK = { firstMs: 1, limitMs: 10, jitter: 0 };

const device = (name: string, mtu = 1500): Device => ({
  name,
  identity: {},
  attributes: { "dra.net/mtu": { int: mtu } },
});
const devices = (count: number): Device[] => Array.from({ length: count }, (_, i) => device(`eth${i}`));

function addNode(server: FakeApiServer): string {
  return (
    server.store.add("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } }).metadata.uid ?? ""
  );
}

function start(lab: ApiLab, server: FakeApiServer, options: Partial<SlicePublisherOptions> & { clock?: Clock } = {}) {
  const stop = new AbortController();
  const published: Published[] = [];
  const lines: Record<string, unknown>[] = [];
  const publisher = new SlicePublisher({
    client: lab.client(server),
    driver: "dra.net",
    nodeName: "n1",
    clock: systemClock,
    log: createLogger({ level: "info", write: (line) => lines.push(JSON.parse(line)) }),
    onPublished: (at) => published.push(at),
    repairDelay: QUICK,
    failureBackoff: QUICK,
    ...options,
  });
  const done = publisher.run(stop.signal);
  return {
    publisher,
    published,
    lines,
    logged: (text: string) => lines.filter(({ message }) => String(message).includes(text)),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

interface Slice extends Stored {
  spec: { pool: { generation: number; resourceSliceCount: number }; devices: { name: string }[] };
}

const slices = (server: FakeApiServer) => server.store.list(SLICES) as Slice[];
const state = (server: FakeApiServer) =>
  slices(server).map(({ spec }) => `${spec.pool.generation}/${spec.pool.resourceSliceCount}: ${spec.devices.length}`);

/** Nothing of what happened until now leads to a write: the publisher's loop has since been to the server and back. */
async function settled(server: FakeApiServer): Promise<void> {
  const before = server.writes.length;
  const watches = () => server.seen.filter(({ query }) => query["watch"] === "true").length;
  const opened = watches();
  server.cutWatches();
  await eventually("a new watch is open", () => watches() > opened && server.openWatches === 1);
  expect(server.writes.length).toBe(before);
}

test("SlicePublisher publishes once, owned by the Node, and then writes nothing", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  const uid = addNode(server);
  await using running = start(lab, server);
  running.publisher.publish(devices(130));
  await eventually("two slices", () => slices(server).length === 2 && running.published.length === 1);
  expect(state(server)).toEqual(["1/2: 128", "1/2: 2"]);
  expect(slices(server)[0]?.metadata.ownerReferences).toEqual([
    { apiVersion: "v1", kind: "Node", name: "n1", uid, controller: true },
  ] as never);
  expect(running.published).toEqual([{ total: 130, rdma: 0, slices: 2, generation: 1 }]);
  running.publisher.publish(devices(130));
  await settled(server);
  expect(server.writes.length).toBe(2);
});

test("SlicePublisher writes nothing after a restart when the server has it all", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  for (const round of [1, 2]) {
    await using running = start(lab, server);
    running.publisher.publish(devices(3));
    await eventually(`round ${round} is published`, () => running.published.length === 1);
    expect(running.publisher.lastPublishedAtMs).toBeNumber();
  }
  expect(server.writes.length).toBe(1);
  expect(server.writes[0]?.query).toEqual({});
  expect(server.seen.find(({ path }) => path === SLICES)?.query["fieldSelector"]).toBe(
    "spec.nodeName=n1,spec.driver=dra.net",
  );
});

test("SlicePublisher counts the devices with RDMA", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  await using running = start(lab, server);
  const rdma = (name: string, bool: boolean): Device => ({
    name,
    identity: {},
    attributes: { "dra.net/rdma": { bool } },
  });
  running.publisher.publish([rdma("a", true), rdma("b", false), rdma("c", true)]);
  await eventually("it is published", () => running.published.length === 1);
  expect(running.published[0]).toMatchObject({ total: 3, rdma: 2 });
});

test("SlicePublisher updates in place when a device changes", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  await using running = start(lab, server);
  running.publisher.publish([device("eth0")]);
  await eventually("the first state", () => running.published.length === 1);
  const name = slices(server)[0]?.metadata.name;
  running.publisher.publish([device("eth0", 9000), device("eth1")]);
  await eventually("the second state", () => running.published.length === 2);
  expect(state(server)).toEqual(["1/1: 2"]);
  expect(slices(server)[0]?.metadata.name).toBe(name);
  await settled(server);
  expect(server.writes.map(({ method }) => method)).toEqual(["POST", "PUT"]);
});

test("SlicePublisher makes the slices anew after the kubelet wiped them, and only after a delay", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  const clock = new ManualClock();
  await using running = start(lab, server, { clock, repairDelay: { firstMs: 2000, limitMs: 30_000, jitter: 0 } });
  running.publisher.publish(devices(130));
  await eventually("the first state", () => running.published.length === 1);
  for (const [generation, delayMs] of [
    [2, 2000],
    [3, 4000],
  ] as const) {
    for (const slice of slices(server)) server.store.remove(SLICES, slice.metadata.name ?? "");
    await eventually("the publisher waits", () => clock.sleeping.length === 1);
    expect(clock.sleeping).toEqual([delayMs]);
    expect(slices(server)).toEqual([]);
    clock.advance(delayMs);
    await eventually("the slices are back", () => running.published.length === generation);
    expect(state(server)).toEqual([`${generation}/2: 128`, `${generation}/2: 2`]);
  }
  clock.advance(120_000); // peace: the next repair is quick again
  for (const slice of slices(server)) server.store.remove(SLICES, slice.metadata.name ?? "");
  await eventually("the publisher waits", () => clock.sleeping.length === 1);
  expect(clock.sleeping).toEqual([2000]);
});

test("SlicePublisher repairs what somebody else changed", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  await using running = start(lab, server);
  running.publisher.publish(devices(2));
  await eventually("the first state", () => running.published.length === 1);
  const [slice] = slices(server);
  if (slice === undefined) throw new Error("no slice");
  server.store.replace(SLICES, { ...slice, spec: { ...slice.spec, devices: [] } });
  await eventually("it is repaired", () => running.published.length === 2);
  expect(state(server)).toEqual(["1/1: 2"]);
});

test("SlicePublisher leaves the slices of other drivers and nodes alone", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  const pool = { name: "n1", generation: 1, resourceSliceCount: 1 };
  const foreign = (name: string, driver: string, nodeName: string): Stored =>
    server.store.add(SLICES, {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceSlice",
      metadata: { name },
      spec: { driver, nodeName, pool, devices: [] },
    });
  const others = [foreign("gpu", "gpu.example", "n1"), foreign("elsewhere", "dra.net", "n2")];
  await using running = start(lab, server);
  running.publisher.publish(devices(1));
  await eventually("it is published", () => running.published.length === 1);
  for (const other of others) expect(server.store.get(`${SLICES}/${other.metadata.name}`)).toEqual(other);
});

test("SlicePublisher reads anew after a conflict", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  await using running = start(lab, server);
  running.publisher.publish(devices(1));
  await eventually("the first state", () => running.published.length === 1);
  const [slice] = slices(server);
  if (slice === undefined) throw new Error("no slice");
  // Changed by another one at the very moment when we write.
  let first = true;
  server.intercept = ({ method }) => {
    if (method === "PUT" && first) {
      first = false;
      server.store.replace(SLICES, { ...slice, metadata: { ...slice.metadata, labels: { touched: "yes" } } });
    }
    return undefined;
  };
  running.publisher.publish(devices(2));
  await eventually("the second state", () => running.published.length === 2);
  expect(state(server)).toEqual(["1/1: 2"]);
  expect(slices(server)[0]?.metadata.labels).toEqual({ touched: "yes" });
});

test("SlicePublisher gives the slices to the new Node when the Node was made anew", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  await using running = start(lab, server);
  running.publisher.publish(devices(1));
  await eventually("the first state", () => running.published.length === 1);
  server.store.remove("/api/v1/nodes", "n1");
  const uid = addNode(server);
  for (const slice of slices(server)) server.store.remove(SLICES, slice.metadata.name ?? ""); // the garbage collector
  await eventually("the slices are back", () => slices(server).length === 1);
  expect(slices(server)[0]?.metadata.ownerReferences?.[0]?.uid).toBe(uid);
});

test("SlicePublisher waits for the Node, and goes on when the server is away", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  await using running = start(lab, server);
  running.publisher.publish(devices(1));
  await eventually("it fails", () => running.logged("cannot be published").length > 0);
  expect(server.writes).toEqual([]);
  addNode(server);
  await eventually("it is published", () => running.published.length === 1);
  server.intercept = () => ({ status: 500, body: { message: "etcd is away" } });
  const failures = running.logged("cannot be published").length;
  running.publisher.publish(devices(2));
  await eventually("it fails", () => running.logged("cannot be published").length > failures);
  server.intercept = () => undefined;
  await eventually("it is published", () => running.published.length === 2);
  expect(state(server)).toEqual(["1/1: 2"]);
});

test("SlicePublisher leaves out the one device that the server refuses, until that changes", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  // A server with a rule that we do not know.
  server.validate = (slice) =>
    ((slice as Slice).spec.devices ?? []).flatMap((at, index) =>
      JSON.stringify(at).includes("1501") ? [{ field: `spec.devices[${index}].attributes`, message: "odd" }] : [],
    );
  await using running = start(lab, server);
  running.publisher.publish([device("eth0"), device("eth1", 1501), device("eth2")]);
  await eventually("it is published", () => running.published.length === 1);
  expect(slices(server)[0]?.spec.devices.map(({ name }) => name)).toEqual(["eth0", "eth2"]);
  expect(running.logged("refuses it")).toMatchObject([{ level: "error", device: "eth1" }]);
  running.publisher.publish([device("eth0"), device("eth1", 1502), device("eth2")]);
  await eventually("all three", () => running.published.length === 2);
  expect(state(server)).toEqual(["1/1: 3"]);
});

test("SlicePublisher does not fight a server that drops fields", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  server.strip = (object) => {
    for (const at of (object as Slice).spec.devices ?? []) delete (at as { attributes?: unknown }).attributes;
    return object;
  };
  await using running = start(lab, server);
  running.publisher.publish(devices(2));
  await eventually("it is published", () => running.published.length === 1);
  expect(running.logged("dropped fields")).toHaveLength(1);
  running.publisher.publish(devices(2));
  await settled(server);
  expect(server.writes.length).toBe(1);
  running.publisher.publish(devices(3));
  await eventually("the new state", () => running.published.length === 2);
  expect(state(server)).toEqual(["1/1: 3"]);
});

test("SlicePublisher says once that a device cannot be published", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server);
  await using running = start(lab, server);
  running.publisher.publish([device("Bad"), device("eth0")]);
  await eventually("it is published", () => running.published.length === 1);
  running.publisher.publish([device("Bad"), device("eth0"), device("eth1")]);
  await eventually("the second state", () => running.published.length === 2);
  expect(running.logged("cannot be published as it is")).toMatchObject([{ level: "warn", device: "Bad" }]);
});
