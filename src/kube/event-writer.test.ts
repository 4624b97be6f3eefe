import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { ApiLab } from "../../test/fakes/api-client.ts";
import type { FakeApiServer } from "../../test/fakes/api-server.ts";
import { eventually } from "../../test/fakes/eventually.ts";
import { systemClock } from "../lib/clock.ts";
import { createLogger } from "../lib/log.ts";
import type { KubeEvent } from "./client/wire.ts";
import { type EventReport, REPEAT_INTERVAL_MS } from "./event-limits.ts";
import { EventWriter } from "./event-writer.ts";

const EVENTS = "/api/v1/namespaces/team/events";
const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const lab = new ApiLab();
let server: FakeApiServer;
let stop: AbortController;
let run: Promise<void>;
let writer: EventWriter;
let nowMs = START_MS;
let lines: string[];
beforeAll(async () => {
  server = await lab.start();
});
afterAll(() => lab[Symbol.asyncDispose]());
beforeEach(() => {
  for (const { metadata } of server.store.list(EVENTS)) server.store.remove(EVENTS, String(metadata.name));
  server.seen.length = 0;
  server.intercept = () => undefined;
  nowMs = START_MS;
  lines = [];
  stop = new AbortController();
  writer = new EventWriter({
    client: lab.client(server),
    driver: "dra.net",
    nodeName: "worker-1",
    clock: { ...systemClock, nowMs: () => nowMs },
    log: createLogger({ level: "debug", write: (line) => lines.push(line) }),
    // Time stands still here, so that a pause would never end.
    backoff: { firstMs: 0, limitMs: 0, jitter: 0 },
  });
  run = writer.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await run;
});

function report(message: string, name = "web-0"): EventReport {
  const object = { apiVersion: "v1", kind: "Pod", namespace: "team", name, uid: "pod-uid" };
  return { object, reason: "NetworkDeviceAttachFailed", message };
}

const events = () => server.store.list(EVENTS) as unknown as KubeEvent[];

test("EventWriter makes a Warning of the driver on the object", async () => {
  writer.warn(report("eth1 is not there"));
  await eventually("the event is there", () => events().length === 1);
  const { metadata, ...event } = events()[0] ?? { metadata: {} };
  expect(metadata.name).toMatch(/^web-0\.[0-9a-f]{16}$/);
  expect(event).toEqual({
    apiVersion: "v1",
    kind: "Event",
    involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "team", name: "web-0", uid: "pod-uid" },
    type: "Warning",
    reason: "NetworkDeviceAttachFailed",
    message: "eth1 is not there",
    source: { component: "dra.net", host: "worker-1" },
    reportingComponent: "dra.net",
    reportingInstance: "worker-1",
    firstTimestamp: "2026-01-02T03:04:05Z",
    lastTimestamp: "2026-01-02T03:04:05Z",
    count: 1,
  } as unknown as Omit<KubeEvent, "metadata">);
});

test("EventWriter counts in the same event what comes again, and makes it anew when it is gone", async () => {
  writer.warn(report("m"));
  await eventually("the event is there", () => events().length === 1);
  for (let i = 0; i < 5; i++) writer.warn(report("m"));
  nowMs += REPEAT_INTERVAL_MS;
  writer.warn(report("m"));
  await eventually("it counts seven", () => events()[0]?.count === 7);
  expect(events()).toMatchObject([{ firstTimestamp: "2026-01-02T03:04:05Z", lastTimestamp: "2026-01-02T03:05:05Z" }]);
  expect(server.writes).toHaveLength(2);
  server.store.remove(EVENTS, String(events()[0]?.metadata.name));
  nowMs += REPEAT_INTERVAL_MS;
  writer.warn(report("m"));
  await eventually("it is there again", () => events()[0]?.count === 8);
});

test("EventWriter cuts a message where the API would, and a long name before its suffix", async () => {
  writer.warn(report("ä".repeat(2000), `${"long-".repeat(50)}x`));
  await eventually("the event is there", () => events().length === 1);
  const [event] = events();
  expect(new TextEncoder().encode(event?.message).length).toBe(1024);
  expect(event?.metadata.name?.length).toBeLessThanOrEqual(253);
  expect(event?.metadata.name).not.toMatch(/[-.]\./);
});

test("EventWriter keeps events until the API server is back", async () => {
  server.intercept = () => ({ status: 503 });
  writer.warn(report("one"));
  writer.warn(report("two"));
  await eventually("it has tried", () => server.writes.length >= 2);
  server.intercept = () => undefined;
  await eventually("both are there", () => events().length === 2);
});

test("EventWriter does not make a second event when only the answer was lost", async () => {
  let lost = 0;
  server.intercept = ({ method }) => {
    if (method !== "POST" || lost++ > 0) return undefined;
    return { status: 504 };
  };
  writer.warn(report("m"));
  await eventually("the event is there", () => events().length === 1);
  server.intercept = ({ method }) =>
    method === "POST" ? { status: 409, body: { reason: "AlreadyExists" } } : undefined;
  writer.warn(report("written already"));
  await eventually("it was answered", () => server.writes.length === 3);
  writer.warn(report("next"));
  await eventually("the next is tried", () => server.writes.length === 4);
  expect(lines.join()).not.toContain("refuses");
});

test("EventWriter says once that events may not be written", async () => {
  server.intercept = () => ({ status: 403 });
  writer.warn(report("one"));
  writer.warn(report("two"));
  await eventually("both were tried", () => server.writes.length === 2);
  server.intercept = () => undefined;
  writer.warn(report("three"));
  await eventually("the third is there", () => events().length === 1);
  expect(lines.filter((line) => line.includes("create and patch on events"))).toHaveLength(1);
});
