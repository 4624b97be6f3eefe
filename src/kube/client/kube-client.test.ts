import { expect, test } from "bun:test";
import { ApiLab } from "../../../test/fakes/api-client.ts";
import { SLICES } from "../../../test/fakes/api-server.ts";
import { eventually } from "../../../test/fakes/eventually.ts";
import { ManualClock } from "../../../test/fakes/manual-clock.ts";
import { ConflictError } from "../../lib/errors.ts";
import { isNotFound, type KubeError } from "./kube-error.ts";
import type { ResourceSlice } from "./wire.ts";

const signal = new AbortController().signal;

function slice(generateName = "00000-dra.net-n1-"): ResourceSlice {
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { generateName },
    spec: {
      driver: "dra.net",
      nodeName: "n1",
      pool: { name: "n1", generation: 1, resourceSliceCount: 1 },
      devices: [],
    },
  };
}

async function thrown(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test("KubeClient creates, reads, replaces, patches, lists and deletes", async () => {
  await using lab = new ApiLab();
  const client = lab.client(await lab.start());
  const made = await client.create<ResourceSlice>(SLICES, slice(), { signal });
  expect(made.metadata?.name).toMatch(/^00000-dra\.net-n1-[a-z0-9]{5}$/);
  const path = `${SLICES}/${made.metadata?.name}`;
  const patched = await client.patch<ResourceSlice>(path, "merge", { metadata: { labels: { a: "b" } } }, { signal });
  expect(patched.metadata?.labels).toEqual({ a: "b" });
  const bySelector = (fieldSelector: string) =>
    client.list<ResourceSlice>(SLICES, { signal, query: { fieldSelector } });
  expect((await bySelector("spec.nodeName=n1,spec.driver=dra.net")).items).toEqual([patched]);
  expect((await bySelector("spec.nodeName=n2,spec.driver=dra.net")).items).toEqual([]);
  const next = { ...patched, spec: { ...patched.spec, devices: [{ name: "eth1" }] } };
  const updated = await client.update<ResourceSlice>(path, next, { signal });
  expect(await client.get<ResourceSlice>(path, { signal })).toEqual(updated);
  await client.delete(path, { signal, preconditions: { uid: updated.metadata?.uid ?? "" } });
  const gone = await thrown(client.get(path, { signal }));
  expect(isNotFound(gone)).toBe(true);
  expect((gone as KubeError).message).toContain(path);
});

test("KubeClient throws ConflictError with the status as its cause when somebody else wrote first", async () => {
  await using lab = new ApiLab();
  const client = lab.client(await lab.start());
  const first = await client.create<ResourceSlice>(SLICES, slice(), { signal });
  const path = `${SLICES}/${first.metadata?.name}`;
  await client.patch(path, "merge", { metadata: { labels: { a: "b" } } }, { signal });
  const error = await thrown(client.update<ResourceSlice>(path, first, { signal }));
  expect(error).toBeInstanceOf(ConflictError);
  expect(((error as ConflictError).cause as KubeError).status).toBe(409);
  expect(await thrown(client.delete(path, { signal, preconditions: { resourceVersion: "1" } }))).toBeInstanceOf(
    ConflictError,
  );
});

test("KubeClient names the refused fields when validation fails", async () => {
  await using lab = new ApiLab();
  const client = lab.client(await lab.start());
  const bad = slice();
  const error = (await thrown(
    client.create(
      SLICES,
      { ...bad, spec: { ...bad.spec, devices: [{ name: "ok" }, { name: "Not_A_Label" }] } },
      { signal },
    ),
  )) as KubeError;
  expect([error.status, error.reason]).toEqual([422, "Invalid"]);
  expect(error.causes).toEqual([{ field: "spec.devices[1].name", message: "must be a DNS label" }]);
});

test("KubeClient tells 403 from 404", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  server.intercept = () => ({ status: 403, body: { reason: "Forbidden", message: "pods is forbidden" } });
  const error = (await thrown(lab.client(server).get("/api/v1/namespaces/a/pods/b", { signal }))) as KubeError;
  expect([error.status, error.reason, isNotFound(error)]).toEqual([403, "Forbidden", false]);
});

test("KubeClient waits as long as the server asks, then sends again", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  server.store.add("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } });
  let busy = 2;
  server.intercept = () => (busy-- > 0 ? { status: 429, headers: { "retry-after": "7" } } : undefined);
  const clock = new ManualClock();
  const reading = lab.client(server, { clock }).get("/api/v1/nodes/n1", { signal });
  for (const requests of [1, 2]) {
    await eventually("the client waits", () => clock.sleeping.length === 1);
    expect([server.seen.length, clock.sleeping]).toEqual([requests, [7000]]);
    clock.advance(7000);
  }
  expect(await reading).toMatchObject({ metadata: { name: "n1" } });
  // Without Retry-After an error is the caller's: a POST that failed half-way must not be sent twice.
  server.intercept = () => ({ status: 503 });
  expect(((await thrown(lab.client(server).create(SLICES, slice(), { signal }))) as KubeError).status).toBe(503);
  expect(server.writes.length).toBe(1);
});

test("KubeClient gives up at its limit, and at once when the caller aborts", async () => {
  await using lab = new ApiLab();
  using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const credentials = { ...lab.credentials(await lab.start()), server: `https://127.0.0.1:${silent.port}` };
  const client = lab.client(await lab.start(), { credentials, requestLimitMs: 30 });
  const late = (await thrown(client.get("/api/v1/nodes/n1", { signal }))) as KubeError;
  expect([late.reason, late.message]).toEqual(["Timeout", expect.stringContaining("within 0.03 s")]);
  const stop = new AbortController();
  const stopped = thrown(client.get("/api/v1/nodes/n1", { signal: stop.signal, timeoutMs: 60_000 }));
  stop.abort(new Error("enough"));
  expect(await stopped).toEqual(new Error("enough"));
});

test("KubeClient says that nobody answers", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  const client = lab.client(server);
  const port = server.port;
  await server[Symbol.asyncDispose]();
  const error = (await thrown(client.get("/api/v1/nodes/n1", { signal }))) as KubeError;
  expect([error.status, error.reason]).toEqual([0, "Unreachable"]);
  expect(error.message).toContain(`https://127.0.0.1:${port}`);
});

test("KubeClient does not follow a redirect with its token", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  server.intercept = ({ path }) => (path === "/a" ? { status: 302, headers: { location: "/b" } } : undefined);
  expect(((await thrown(lab.client(server).get("/a", { signal }))) as KubeError).status).toBe(302);
  expect(server.seen.map((seen) => seen.path)).toEqual(["/a"]);
});

test("KubeClient names its program to the server", async () => {
  await using lab = new ApiLab();
  const agents: (string | undefined)[] = [];
  const server = await lab.start();
  server.intercept = (seen) => {
    agents.push(seen.userAgent);
    return { status: 200 };
  };
  await lab.client(server).get("/version", { signal });
  expect(agents).toEqual(["netferry/test"]);
});
