import { expect, test } from "bun:test";
import type { DescMessage, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { channelPair } from "../../test/fakes/byte-channels.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { RecordingHandlers } from "../../test/fakes/sandbox-handlers.ts";
import { ClaimError } from "../lib/errors.ts";
import { createLogger } from "../lib/log.ts";
import { Event, Plugin } from "../proto/gen/nri/api_pb.ts";
import { TtrpcClient } from "../ttrpc/client.ts";
import { TtrpcServer } from "../ttrpc/server.ts";
import { Code, StatusError } from "../ttrpc/status.ts";
import type { RuntimeInfo } from "./handlers.ts";
import { type HookRecord, NriPlugin } from "./plugin.ts";

const RPC = Plugin.method;
const pod = {
  id: "s1",
  name: "web",
  uid: "u1",
  namespace: "default",
  linux: { namespaces: [{ type: "network", path: "/run/netns/a" }] },
};
const container = { id: "c1", podSandboxId: "s1", name: "main", env: ["A=b"], CDIDevices: [{ name: "v/c=d" }] };

/** A plugin, and the runtime's end of its connection. */
function harness() {
  const [near, far] = channelPair();
  const clock = new ManualClock();
  const handlers = new RecordingHandlers();
  const lines: string[] = [];
  const hooks: HookRecord[] = [];
  const configured: RuntimeInfo[] = [];
  const plugin = new NriPlugin({
    handlers,
    clock,
    log: createLogger({ level: "info", write: (line) => lines.push(line) }),
    onConfigured: (runtime) => configured.push(runtime),
    onHook: (record) => hooks.push(record),
  });
  new TtrpcServer(far, plugin.router);
  const client = new TtrpcClient(near);
  return {
    clock,
    handlers,
    plugin,
    lines,
    hooks,
    configured,
    hangUp: () => near.close(),
    call: <I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      request: MessageInitShape<I>,
      timeoutMs = 2_000,
    ) => client.call(method, request, { timeoutMs }),
  };
}

async function failure(call: Promise<unknown>): Promise<StatusError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StatusError)) throw new Error("the call did not end with a StatusError", { cause: error });
  return error;
}

/** Lets what is in flight go as far as it can without time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test("Configure is answered with exactly the four events that we handle", async () => {
  const { call, configured } = harness();
  const answer = await call(RPC.configure, { runtimeName: "containerd", runtimeVersion: "2.1.9" });
  expect(answer.events).toBe(0x0f);
  expect(configured).toEqual([{ name: "containerd", version: "2.1.9" }]);
});

test("Synchronize collects its chunks and repeats `more`", async () => {
  const { call, handlers, plugin } = harness();
  expect((await call(RPC.synchronize, { pods: [pod], more: true })).more).toBe(true);
  expect(handlers.heard).toEqual([]);
  expect(await call(RPC.synchronize, { pods: [{ ...pod, id: "s2" }], containers: [container] })).toMatchObject({
    more: false,
  });
  await plugin.synchronised;
  const [snapshot] = handlers.snapshots;
  expect(snapshot?.sandboxes.map((sandbox) => sandbox.id)).toEqual(["s1", "s2"]);
  expect(snapshot?.containers).toEqual([
    {
      id: "c1",
      name: "main",
      sandboxId: "s1",
      env: ["A=b"],
      cdiDevices: ["v/c=d"],
      annotations: {},
      cpus: "",
      mems: "",
    },
  ]);
});

test("Synchronize is answered without an error when the handler fails, and `synchronised` tells", async () => {
  const { call, handlers, plugin } = harness();
  handlers.onSynchronize = () => Promise.reject(new Error("the store is broken"));
  await call(RPC.synchronize, {});
  await expect(plugin.synchronised).rejects.toThrow("the store is broken");
});

test("events wait for a Synchronize whose work is unfinished", async () => {
  const { call, handlers, clock } = harness();
  const snapshot = Promise.withResolvers<void>();
  handlers.onSynchronize = () => snapshot.promise;
  const synchronize = call(RPC.synchronize, {});
  await settle();
  clock.advance(1_500);
  expect((await synchronize).more).toBe(false);
  const run = call(RPC.runPodSandbox, { pod });
  const create = call(RPC.createContainer, { pod, container });
  await settle();
  clock.advance(1_500);
  await run;
  expect((await failure(create)).code).toBe(Code.FAILED_PRECONDITION);
  expect(handlers.heard).toEqual(["synchronize"]);
  snapshot.resolve();
  await settle();
  expect(handlers.heard).toEqual(["synchronize", "started web"]); // late, but not lost; the container was refused
});

test("CreateContainer adds the character devices that it is told to, as they are on the host", async () => {
  const { call, handlers } = harness();
  const uverbs = { path: "/dev/infiniband/uverbs0", major: 231, minor: 192, permissions: "rw" };
  handlers.change = { deviceNodes: [{ ...uverbs, mode: 0o660, uid: 0, gid: 104 }] };
  const { adjust } = await call(RPC.createContainer, { pod, container });
  const { $typeName: _, ...device } = adjust?.linux?.devices[0] ?? {};
  expect(device).toMatchObject({
    path: uverbs.path,
    type: "c",
    major: 231n,
    minor: 192n,
    fileMode: { value: 0o660 },
    uid: { value: 0 },
    gid: { value: 104 },
  });
  handlers.change = { deviceNodes: [] };
  expect((await call(RPC.createContainer, { pod, container })).adjust).toBeUndefined();
});

test("the dedicated calls and StateChange are the same to the handlers", async () => {
  const { call, handlers } = harness();
  await call(RPC.runPodSandbox, { pod });
  await call(RPC.stopPodSandbox, { pod });
  await call(RPC.removePodSandbox, { pod });
  const dedicated = handlers.heard.splice(0);
  for (const event of [Event.RUN_POD_SANDBOX, Event.STOP_POD_SANDBOX, Event.REMOVE_POD_SANDBOX]) {
    await call(RPC.stateChange, { event, pod });
  }
  expect(dedicated).toEqual(["started web", "stopped web", "removed web"]);
  expect(handlers.heard).toEqual(dedicated);
  expect(handlers.sandboxes[0]).toEqual({
    id: "s1",
    podUid: "u1",
    podName: "web",
    podNamespace: "default",
    annotations: {},
    runtimeHandler: "",
    netnsPath: "/run/netns/a",
  });
});

test("StateChange is answered for events that we did not ask for, and without a pod", async () => {
  const { call, handlers, lines } = harness();
  await call(RPC.stateChange, { event: Event.START_CONTAINER, pod });
  await call(RPC.stateChange, { event: 99 as Event });
  await call(RPC.stateChange, { event: Event.RUN_POD_SANDBOX });
  expect(handlers.heard).toEqual([]);
  expect(lines.join()).toContain("the runtime sent an event without a pod");
});

test("Shutdown is answered, and what we do not serve gets UNIMPLEMENTED", async () => {
  const { call } = harness();
  await call(RPC.shutdown, {});
  const refused = ["UpdateContainer", "StopContainer", "ValidateContainerAdjustment", "UpdatePodSandbox"]
    .map((name) => call({ ...RPC.shutdown, name }, {}))
    .map(failure);
  for (const answer of refused) expect((await answer).code).toBe(Code.UNIMPLEMENTED);
});

test("the record of a hook says whether the pod has a claim of ours, also when the hook finds out", async () => {
  const { call, handlers, hooks } = harness();
  await call(RPC.runPodSandbox, { pod });
  handlers.onStarted = async () => {
    handlers.concerned.add(pod.name);
  };
  await call(RPC.runPodSandbox, { pod });
  handlers.onStopped = async () => handlers.concerned.clear();
  await call(RPC.stopPodSandbox, { pod });
  await call(RPC.removePodSandbox, { pod });
  expect(hooks.map(({ concerned }) => concerned)).toEqual([false, true, true, false]);
});

test("RunPodSandbox and StopPodSandbox never answer an error", async () => {
  const { call, handlers, lines, hooks } = harness();
  handlers.onStarted = () => Promise.reject(new ClaimError("no such link"));
  handlers.onStopped = () => Promise.reject(new Error("broken"));
  await call(RPC.runPodSandbox, { pod });
  await call(RPC.stopPodSandbox, { pod });
  expect(hooks.map(({ hook, outcome }) => `${hook} ${outcome}`)).toEqual([
    "RunPodSandbox failed",
    "StopPodSandbox failed",
  ]);
  expect(lines.filter((line) => line.includes('"message":"hook failed"')).length).toBe(2);
});

test("RunPodSandbox is answered when three quarters of its time are over, and its work goes on", async () => {
  const { call, handlers, clock, hooks, lines } = harness();
  const work = Promise.withResolvers<void>();
  let aborted = false;
  handlers.onStarted = async (budget) => {
    budget.addEventListener("abort", () => {
      aborted = true;
    });
    await work.promise;
  };
  const run = call(RPC.runPodSandbox, { pod }, 4_000);
  let answered = false;
  void run.then(() => {
    answered = true;
  });
  await settle();
  clock.advance(2_999);
  await settle();
  expect([answered, aborted]).toEqual([false, false]);
  clock.advance(1);
  await run;
  expect(aborted).toBe(true);
  expect(hooks).toEqual([
    { hook: "RunPodSandbox", outcome: "late", concerned: false, durationMs: 3_000, budgetMs: 3_000 },
  ]);
  work.resolve();
  await settle();
  expect(lines.at(-1)).toContain("late work of a hook is done");
});

test("a hook that is quick leaves no timer behind", async () => {
  const { call, clock } = harness();
  await call(RPC.runPodSandbox, { pod });
  await settle();
  expect(clock.sleeping).toEqual([]);
});

test("the budget ends when the connection does", async () => {
  const { call, handlers, hangUp } = harness();
  const ended = Promise.withResolvers<void>();
  handlers.onStarted = (budget) =>
    new Promise((resolve) =>
      budget.addEventListener("abort", () => {
        ended.resolve();
        resolve();
      }),
    );
  const run = failure(call(RPC.runPodSandbox, { pod }));
  await settle();
  hangUp();
  await ended.promise;
  expect((await run).code).toBe(Code.UNAVAILABLE);
});

test("CreateContainer lets a container go on, and refuses with the sentence of a ClaimError", async () => {
  const { call, handlers, hooks } = harness();
  await call(RPC.createContainer, { pod, container });
  handlers.onCreating = () => Promise.reject(new ClaimError("claim default/nic: eth1 is gone"));
  expect(await failure(call(RPC.createContainer, { pod, container }))).toMatchObject({
    code: Code.FAILED_PRECONDITION,
    message: "claim default/nic: eth1 is gone",
  });
  handlers.onCreating = () => Promise.reject(new TypeError("x is undefined"));
  expect(await failure(call(RPC.createContainer, { pod, container }))).toMatchObject({
    code: Code.INTERNAL,
    message: "container main of pod default/web: x is undefined",
  });
  expect(hooks.map((record) => record.outcome)).toEqual(["done", "refused", "refused"]);
});

test("CreateContainer refuses when its budget ends, with the handler's own sentence where it has one", async () => {
  const { call, handlers, clock } = harness();
  handlers.onCreating = () => new Promise(() => undefined);
  const silent = failure(call(RPC.createContainer, { pod, container }));
  await settle();
  clock.advance(1_500);
  expect(await silent).toMatchObject({
    code: Code.FAILED_PRECONDITION,
    message: expect.stringContaining("still being attached"),
  });
  handlers.onCreating = (budget) =>
    new Promise((_resolve, reject) => budget.addEventListener("abort", () => reject(new ClaimError("eth1 is slow"))));
  const spoken = failure(call(RPC.createContainer, { pod, container }));
  await settle();
  clock.advance(1_500);
  expect((await spoken).message).toBe("eth1 is slow");
});

test("CreateContainer refuses a request without pod or container", async () => {
  const { call } = harness();
  expect((await failure(call(RPC.createContainer, { pod }))).code).toBe(Code.INVALID_ARGUMENT);
});

test("drained() waits for the answers, not for late work", async () => {
  const { call, handlers, clock, plugin } = harness();
  handlers.onStarted = () => new Promise(() => undefined);
  const run = call(RPC.runPodSandbox, { pod });
  await settle();
  let drained = false;
  const draining = plugin.drained().then(() => {
    drained = true;
  });
  await settle();
  expect(drained).toBe(false);
  clock.advance(1_500);
  await draining;
  await run;
});
