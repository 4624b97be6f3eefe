import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { ApiLab } from "../../test/fakes/api-client.ts";
import type { FakeApiServer } from "../../test/fakes/api-server.ts";
import { eventually } from "../../test/fakes/eventually.ts";
import { systemClock } from "../lib/clock.ts";
import { createLogger } from "../lib/log.ts";
import { type ClaimId, ClaimStatusWriter } from "./claim-status-writer.ts";
import type { KubeClient } from "./client/kube-client.ts";
import type { DeviceStatus } from "./device-status.ts";

const CLAIMS = "/apis/resource.k8s.io/v1/namespaces/team/resourceclaims";
const lab = new ApiLab();
let server: FakeApiServer;
let client: KubeClient;
beforeAll(async () => {
  server = await lab.start();
  client = lab.client(server);
});
afterAll(() => lab[Symbol.asyncDispose]());
let writer: Writer;
beforeEach(() => {
  server.seen.length = 0;
  server.intercept = () => undefined;
  writer = new Writer();
});
afterEach(() => writer[Symbol.asyncDispose]());

class Writer implements AsyncDisposable {
  /** As the store would have it, by claim UID. */
  readonly wanted = new Map<string, readonly DeviceStatus[]>();
  readonly lines: string[] = [];
  readonly writer: ClaimStatusWriter;
  readonly #stop = new AbortController();
  readonly #run: Promise<void>;

  constructor() {
    this.writer = new ClaimStatusWriter({
      client,
      driver: "dra.net",
      clock: systemClock,
      log: createLogger({ level: "debug", write: (line) => this.lines.push(line) }),
      describe: (uid) => this.wanted.get(uid),
      backoff: { firstMs: 5, limitMs: 20, jitter: 0 },
    });
    this.#run = this.writer.run(this.#stop.signal);
  }

  /** The claim's devices are these now. */
  change(claim: ClaimId, devices: readonly DeviceStatus[] | undefined): void {
    if (devices === undefined) this.wanted.delete(claim.uid);
    else this.wanted.set(claim.uid, devices);
    this.writer.changed(claim);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#run;
  }
}

test("ClaimStatusWriter writes all devices of a claim, changes only what changed, and clears it", async () => {
  const claim = newClaim(["a", "b"]);
  writer.change(claim, [status("a", "True"), status("b", "False")]);
  await eventually("both are there", () => shown(claim) === "a True, b False");
  const [first] = devicesOf(claim);
  writer.change(claim, [status("a", "True"), status("b", "True")]);
  await eventually("b is ready", () => shown(claim) === "a True, b True");
  expect(devicesOf(claim)[0]).toEqual(first);
  writer.change(claim, undefined);
  await eventually("nothing of ours is left", () => shown(claim) === "");
  expect(server.writes.map(({ method, path, query }) => [method, path, query])).toEqual(
    Array(3).fill(["PATCH", `${CLAIMS}/${claim.name}/status`, { fieldManager: "dra.net", force: "true" }]),
  );
  expect(server.seen.filter(({ method }) => method === "GET")).toHaveLength(1); // it knows what it wrote
});

test("ClaimStatusWriter leaves the entries of other drivers alone", async () => {
  const gpu = { driver: "gpu.example", pool: "node", device: "gpu0", conditions: [] };
  const claim = newClaim(["a"], [gpu]);
  writer.change(claim, [status("a", "True")]);
  await eventually("ours is there", () => shown(claim) === "gpu0 , a True");
  writer.change(claim, []);
  await eventually("ours is gone", () => shown(claim) === "gpu0 ");
});

test("ClaimStatusWriter writes nothing that is there already, also after a restart", async () => {
  const claim = newClaim(["a"]);
  writer.change(claim, [status("a", "True")]);
  await eventually("it is there", () => shown(claim) === "a True");
  const [written] = devicesOf(claim);
  await using next = new Writer();
  next.change(claim, [status("a", "True")]);
  const other = newClaim(["x"]);
  next.change(other, [status("x", "True")]);
  await eventually("the next one is written", () => shown(other) === "x True");
  expect(server.writes.filter(({ path }) => path.includes(claim.name))).toHaveLength(1);
  next.change(claim, [status("a", "False")]);
  await eventually("it is not ready", () => shown(claim) === "a False");
  next.change(claim, [status("a", "True", "and so it is again")]);
  await eventually("it is ready again", () => shown(claim) === "a True");
  expect(JSON.stringify(written)).not.toContain("again");
});

test("ClaimStatusWriter does not read a claim that was seen a moment ago", async () => {
  const claim = newClaim(["a"]);
  writer.writer.prepared(claim, []);
  writer.change(claim, [status("a", "True")]);
  await eventually("it is there", () => shown(claim) === "a True");
  expect(server.seen.map(({ method }) => method)).toEqual(["PATCH"]);
});

test("ClaimStatusWriter writes the newest state once the API server is back", async () => {
  const claim = newClaim(["a"]);
  writer.writer.prepared(claim, []);
  server.intercept = () => ({ status: 503 });
  writer.change(claim, [status("a", "False")]);
  await eventually("it has tried", () => server.seen.length >= 3);
  writer.change(claim, [status("a", "True")]);
  server.intercept = () => undefined;
  await eventually("it is there", () => shown(claim) === "a True");
  expect(versionsOf(claim)).toBe(1); // the older state was never written
});

test("ClaimStatusWriter never writes to a claim of the same name that came after", async () => {
  const claim = newClaim(["a"]);
  writer.writer.prepared(claim, []);
  server.store.remove(CLAIMS, claim.name);
  const successor = newClaim(["a"], [], claim.name);
  writer.change(claim, [status("a", "True")]);
  await eventually("it has given up", () => server.writes.length === 1 && server.seen.at(-1)?.method === "GET");
  writer.change(successor, [status("a", "False")]);
  await eventually("the successor has its own", () => shown(successor) === "a False");
  expect(server.writes).toHaveLength(2);
});

test("ClaimStatusWriter gives up for a claim that is gone, and for an entry that the server refuses", async () => {
  const gone = newClaim(["a"]);
  writer.writer.prepared(gone, []);
  server.store.remove(CLAIMS, gone.name);
  writer.change(gone, [status("a", "True")]);
  const odd = newClaim(["a"]);
  writer.change(odd, [status("never-allocated", "True")]);
  const good = newClaim(["a"]);
  writer.change(good, [status("a", "True")]);
  await eventually("the good one is written", () => shown(good) === "a True");
  expect(server.writes).toHaveLength(3);
  expect(writer.writer.pending).toBe(0);
  expect(writer.lines.filter((line) => line.includes("is refused")).join()).toContain("must be an allocated device");
});

test("ClaimStatusWriter is silent about a claim that lost its allocation before its devices were home", async () => {
  const claim = newClaim(["a", "b"]);
  writer.change(claim, [status("a", "True"), status("b", "True")]);
  await eventually("both are there", () => shown(claim) === "a True, b True");
  const path = `${CLAIMS}/${claim.name}`;
  const { status: _, ...bare } = server.store.get(path) ?? { metadata: {} };
  server.store.replace(CLAIMS, { ...bare, metadata: { ...bare.metadata } });
  writer.change(claim, [status("b", "True")]);
  await eventually("it has asked why", () => server.seen.at(-1)?.method === "GET" && server.writes.length === 2);
  writer.change(claim, undefined);
  const good = newClaim(["a"]);
  writer.change(good, [status("a", "True")]);
  await eventually("the good one is written", () => shown(good) === "a True");
  expect(writer.lines.filter((line) => !line.includes('"level":"debug"'))).toEqual([]);
});

test("ClaimStatusWriter takes a refusal over resourceclaims/driver for a missing permission", async () => {
  const claim = newClaim(["a"]);
  const message = `status.devices: Forbidden: changing status.devices requires resource="resourceclaims/driver", verb="[associated-node:patch]" permission`;
  server.intercept = ({ method }) =>
    method === "PATCH" ? { status: 422, body: { reason: "Invalid", message } } : undefined;
  writer.change(claim, [status("a", "True")]);
  await eventually("it is said", () => writer.lines.some((line) => line.includes("may not be written")));
  expect(writer.writer.pending).toBe(1);
});

test("ClaimStatusWriter says once which permission is missing, and goes on with what it may write", async () => {
  const closed = [newClaim(["a"]), newClaim(["a"])];
  server.intercept = ({ method, path }) =>
    method === "PATCH" && closed.some(({ name }) => path.includes(name)) ? { status: 403 } : undefined;
  for (const claim of closed) writer.change(claim, [status("a", "True")]);
  const open = newClaim(["a"]);
  writer.change(open, [status("a", "True")]);
  await eventually("the open one is written", () => shown(open) === "a True");
  const told = writer.lines.filter((line) => line.includes("may not be written"));
  expect(told).toHaveLength(1);
  expect(told[0]).toContain("patch on resourceclaims/status");
  expect(told[0]).toContain("associated-node:patch on resourceclaims/driver");
  expect(writer.writer.pending).toBe(2);
});

test("ClaimStatusWriter says so when the server drops what it was sent", async () => {
  const claim = newClaim(["a"]);
  server.strip = ({ status: all, ...object }) => {
    const { devices: _, ...rest } = all ?? {};
    return { ...object, status: rest };
  };
  try {
    writer.change(claim, [status("a", "True")]);
    await eventually("it is said", () => writer.lines.some((line) => line.includes("keeps another claim status")));
  } finally {
    server.strip = (object) => object;
  }
});

let count = 0;

function newClaim(devices: readonly string[], already: readonly object[] = [], name = `claim-${count++}`): ClaimId {
  const results = [...devices.map((device) => ({ driver: "dra.net", pool: "node", device })), ...already].map(
    (result) => ({ request: "nic", ...result }),
  );
  const stored = server.store.add(CLAIMS, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name, namespace: "team" },
    status: { allocation: { devices: { results } }, ...(already.length === 0 ? {} : { devices: already }) },
  });
  return { namespace: "team", name, uid: String(stored.metadata.uid) };
}

function status(device: string, ready: "True" | "False", message = "m"): DeviceStatus {
  const reason = ready === "True" ? "NetworkDeviceReady" : "AttachFailed";
  return { driver: "dra.net", pool: "node", device, conditions: [{ type: "Ready", status: ready, reason, message }] };
}

function devicesOf({ name }: ClaimId): readonly DeviceStatus[] {
  return (server.store.get(`${CLAIMS}/${name}`)?.status?.["devices"] ?? []) as readonly DeviceStatus[];
}

function shown(claim: ClaimId): string {
  return devicesOf(claim)
    .map(({ device, conditions }) => `${device} ${conditions.map((one) => one.status).join()}`)
    .join(", ");
}

/** How often the claim was changed. */
function versionsOf({ uid }: ClaimId): number {
  return (server.store.since(100) ?? []).filter(
    ({ type, object }) => type === "MODIFIED" && object.metadata.uid === uid,
  ).length;
}
