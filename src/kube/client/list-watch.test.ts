import { expect, test } from "bun:test";
import { ApiLab } from "../../../test/fakes/api-client.ts";
import type { FakeApiServer } from "../../../test/fakes/api-server.ts";
import { eventually } from "../../../test/fakes/eventually.ts";
import { systemClock } from "../../lib/clock.ts";
import type { KubeClientOptions } from "./kube-client.ts";
import { listAndWatch } from "./list-watch.ts";
import type { Node } from "./wire.ts";

const NODES = "/api/v1/nodes";

function addNode(server: FakeApiServer, name: string): void {
  server.store.add(NODES, { apiVersion: "v1", kind: "Node", metadata: { name } });
}

/** Follows the nodes until the scope ends; `story` is what the callbacks heard. */
function follow(lab: ApiLab, server: FakeApiServer, options: Partial<KubeClientOptions> = {}) {
  const stop = new AbortController();
  const story: string[] = [];
  const failures: string[] = [];
  const done = listAndWatch<Node>({
    client: lab.client(server, options),
    path: NODES,
    signal: stop.signal,
    clock: systemClock,
    backoff: { firstMs: 1, limitMs: 20, jitter: 0 },
    onList: ({ items }) => story.push(`LIST ${items.map((node) => node.metadata?.name).join(" ")}`),
    onChange: ({ type, object }) => story.push(`${type} ${object.metadata?.name}`),
    onFailure: (error) => failures.push(error.message),
  });
  return {
    story,
    failures,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

const lists = (server: FakeApiServer) => server.seen.filter(({ query }) => query["watch"] === undefined).length;
const watchedFrom = (server: FakeApiServer) =>
  server.seen.filter(({ query }) => query["watch"] === "true").map(({ query }) => Number(query["resourceVersion"]));

test("listAndWatch() lists once, then hears of every change", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server, "a");
  await using following = follow(lab, server);
  await eventually("a watch is open", () => server.openWatches === 1);
  addNode(server, "b");
  server.store.remove(NODES, "a");
  await eventually("three events", () => following.story.length === 3);
  expect(following.story).toEqual(["LIST a", "ADDED b", "DELETED a"]);
});

test("listAndWatch() resumes behind the last event when the connection is cut, and misses nothing", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  await using following = follow(lab, server);
  await eventually("a watch is open", () => server.openWatches === 1);
  const listedAt = server.store.version;
  addNode(server, "a");
  await eventually("a was seen", () => following.story.includes("ADDED a"));
  server.cutWatches();
  addNode(server, "b");
  await eventually("b was seen", () => following.story.includes("ADDED b"));
  expect(following.story).toEqual(["LIST ", "ADDED a", "ADDED b"]);
  expect(lists(server)).toBe(1);
  expect(watchedFrom(server).slice(0, 2)).toEqual([listedAt, listedAt + 1]);
});

test("listAndWatch() resumes from the last bookmark when the stream ends in the middle of a line", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  server.intercept = ({ query }) =>
    query["watch"] === "true" && query["resourceVersion"] === String(server.store.version)
      ? { status: 200, body: '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7777"}}}\n{"type":"ADD' }
      : undefined;
  await using following = follow(lab, server);
  await eventually("the watch resumed from the bookmark", () => watchedFrom(server).includes(7777));
  expect(following.story).toEqual(["LIST "]);
});

test("listAndWatch() lists again after 410, whether it comes as an event or as an answer", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  addNode(server, "a");
  await using following = follow(lab, server);
  await eventually("a watch is open", () => server.openWatches === 1);
  server.intercept = ({ query }) => (query["watch"] === "true" ? { status: 503 } : undefined);
  server.cutWatches();
  await eventually("a failure was told", () => following.failures.length > 0);
  server.store.remove(NODES, "a"); // missed, and forgotten by the server
  server.store.compact();
  server.intercept = () => undefined;
  await eventually("the empty list was seen", () => following.story.includes("LIST "));
  expect(following.story).toEqual(["LIST a", "LIST "]);

  // Else it is the one that is answered 410, before the change that it is to miss.
  await eventually("a watch is open", () => server.openWatches === 1);
  let gone = true;
  server.intercept = ({ query }) => {
    if (query["watch"] !== "true" || !gone) return undefined;
    gone = false;
    return { status: 410, body: { reason: "Expired", message: "too old", code: 410 } };
  };
  addNode(server, "b");
  server.cutWatches();
  await eventually("the second list was seen", () => following.story.includes("LIST b"));
});

test("listAndWatch() takes a silent stream for a dead one", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  await using following = follow(lab, server, { watchSilenceMs: 50 });
  await eventually("the watch was opened again", () => watchedFrom(server).length >= 2);
  expect(following.failures[0]).toContain("no sign of life");
  expect(lists(server)).toBe(1);
});

test("listAndWatch() goes on after the server was away", async () => {
  await using lab = new ApiLab();
  const first = await lab.start();
  addNode(first, "a");
  const { port } = first;
  await using following = follow(lab, first);
  await eventually("a watch is open", () => first.openWatches === 1);
  await first[Symbol.asyncDispose]();
  await eventually("a failure was told", () => following.failures.length > 0);
  const second = await lab.start({}, port);
  second.store.compact();
  second.store.version = 9000;
  second.store.compact(); // another history: nothing of before is known here
  addNode(second, "z");
  await eventually("the new server was listed", () => following.story.includes("LIST z"));
});

test("listAndWatch() lets an error of its caller through", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  const following = listAndWatch<Node>({
    client: lab.client(server),
    path: NODES,
    signal: new AbortController().signal,
    clock: systemClock,
    onList: () => {
      throw new Error("a bug");
    },
    onChange: () => undefined,
    onFailure: () => undefined,
  });
  expect(following).rejects.toThrow("a bug");
});
