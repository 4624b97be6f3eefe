import { expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { ClaimError } from "../lib/errors.ts";
import { silentLogger } from "../lib/log.ts";
import { ClaimCalls } from "./claim-calls.ts";
import type { ClaimRef, ClaimsService, PreparedDevice } from "./claims-service.ts";

const waiting = new AbortController().signal;
const claim = (uid: string): ClaimRef => ({ namespace: "team", uid, name: `claim-${uid}` });
const DEVICE: PreparedDevice = { requests: ["main"], pool: "n1", device: "eth1", cdiDeviceIds: ["netferry.dev/x=y"] };

/** A service whose calls end when the test says so. */
class Manual implements ClaimsService {
  readonly story: string[] = [];
  readonly signals: AbortSignal[] = [];
  readonly #open = new Map<string, (failure?: Error) => void>();

  prepare({ uid }: ClaimRef, signal: AbortSignal): Promise<readonly PreparedDevice[]> {
    return this.#call(`prepare ${uid}`, signal, [DEVICE]);
  }

  unprepare({ uid }: ClaimRef, signal: AbortSignal): Promise<void> {
    return this.#call(`unprepare ${uid}`, signal, undefined);
  }

  end(what: string, failure?: Error): void {
    this.#open.get(what)?.(failure);
  }

  #call<T>(what: string, signal: AbortSignal, value: T): Promise<T> {
    this.story.push(what);
    this.signals.push(signal);
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.#open.set(what, (failure) => {
        this.story.push(`end of ${what}`);
        if (failure === undefined) resolve(value);
        else reject(failure);
      });
    });
  }
}

function start(options: { workLimitMs?: number } = {}) {
  const claims = new Manual();
  const requests: string[] = [];
  const calls = new ClaimCalls({
    claims,
    log: silentLogger,
    onRequest: (method, status, seconds) => requests.push(`${method} ${status} ${seconds >= 0}`),
    ...options,
  });
  return { claims, calls, requests };
}

test("ClaimCalls.prepare() answers for each UID, with the sentence of the one that failed", async () => {
  const { claims, calls, requests } = start();
  const answers = calls.prepare([claim("a"), claim("b"), claim("a")], waiting);
  await eventually("both are under way", () => claims.story.length === 2);
  claims.end("prepare a");
  claims.end("prepare b", new ClaimError("eth9 is gone", { cause: new Error("ENODEV") }));
  expect([...(await answers)]).toEqual([
    ["a", { value: [DEVICE] }],
    ["b", { error: "eth9 is gone: ENODEV" }],
  ]);
  expect(requests).toEqual(["PrepareResourceClaims failed true"]);
});

test("ClaimCalls runs the calls of one claim one after the other, and those of others beside them", async () => {
  const { claims, calls, requests } = start();
  const first = calls.prepare([claim("a")], waiting);
  const second = calls.prepare([claim("a")], waiting);
  const third = calls.unprepare([claim("a")], waiting);
  const other = calls.unprepare([claim("b")], waiting);
  await eventually("two are under way", () => claims.story.length === 2);
  expect(claims.story).toEqual(["prepare a", "unprepare b"]);
  claims.end("unprepare b");
  await other;
  claims.end("prepare a");
  await first;
  await eventually("the retry has started", () => claims.story.length === 5);
  claims.end("prepare a");
  await second;
  await eventually("the unprepare has started", () => claims.story.at(-1) === "unprepare a");
  claims.end("unprepare a");
  expect(await third).toEqual(new Map([["a", { value: undefined }]]));
  expect(requests).toHaveLength(4);
  expect(calls.busyClaims).toBe(0);
});

test("ClaimCalls lets work go on when the kubelet gives up, and the retry finds it done", async () => {
  const { claims, calls } = start();
  const kubelet = new AbortController();
  const late = calls.prepare([claim("a")], kubelet.signal);
  await eventually("it is under way", () => claims.story.length === 1);
  kubelet.abort();
  expect(claims.signals[0]?.aborted).toBe(false);
  const retry = calls.prepare([claim("a")], waiting);
  claims.end("prepare a");
  expect(await late).toEqual(new Map([["a", { value: [DEVICE] }]]));
  await eventually("the retry has started", () => claims.story.length === 3);
  claims.end("prepare a");
  expect(await retry).toEqual(new Map([["a", { value: [DEVICE] }]]));
});

test("ClaimCalls does nothing for a retry whose caller has hung up while it waited", async () => {
  const { claims, calls } = start();
  const kubelet = new AbortController();
  const first = calls.prepare([claim("a")], waiting);
  const retry = calls.prepare([claim("a")], kubelet.signal);
  await eventually("the first is under way", () => claims.story.length === 1);
  kubelet.abort();
  claims.end("prepare a");
  await first;
  expect((await retry).get("a")).toEqual({ error: "the kubelet no longer waits for this call" });
  expect(claims.story).toEqual(["prepare a", "end of prepare a"]);
});

test("ClaimCalls stops wedged work at its limit, so that the claim's queue goes on", async () => {
  const { claims, calls } = start({ workLimitMs: 20 });
  const wedged = await calls.prepare([claim("a")], waiting);
  expect(wedged.get("a")).toEqual({ error: "not done within 0.02 s" });
  const next = calls.prepare([claim("a")], waiting);
  await eventually("the next has started", () => claims.story.length === 2);
  claims.end("prepare a");
  expect((await next).get("a")).toEqual({ value: [DEVICE] });
});

test("ClaimCalls.stop() tells all work to stop and refuses new calls; idle() waits for it", async () => {
  const { claims, calls } = start();
  const answers = calls.prepare([claim("a")], waiting);
  await eventually("it is under way", () => claims.story.length === 1);
  calls.stop();
  await calls.idle();
  expect((await answers).get("a")).toEqual({ error: "the agent is stopping; the kubelet will try again" });
  expect((await calls.unprepare([claim("a")], waiting)).get("a")).toMatchObject({
    error: expect.stringContaining("stopping"),
  });
  expect(claims.story).toEqual(["prepare a"]);
});
