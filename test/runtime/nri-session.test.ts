/** The plugin against containerd 2.x and 1.7: what the runtime really sends, and what it makes of the answers. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClaimError } from "../../src/lib/errors.ts";
import { createLogger } from "../../src/lib/log.ts";
import type { HookRecord } from "../../src/nri/plugin.ts";
import { NriSession } from "../../src/nri/session.ts";
import { Code } from "../../src/ttrpc/status.ts";
import { eventually } from "../fakes/eventually.ts";
import { RecordingHandlers } from "../fakes/sandbox-handlers.ts";
import { type Containerd, startContainerd } from "../lab/runtime/containerd.ts";
import { labPaths } from "../lab/runtime/containerd-config.ts";
import { RpcError } from "../lab/runtime/grpc-client.ts";
import { type Pod, Pods } from "../lab/runtime/pods.ts";

const START_LIMIT_MS = 180_000; // the first start fetches packages
const TEST_LIMIT_MS = 30_000;

/** The error that a call to the runtime ended with. */
async function refusal(call: Promise<unknown>): Promise<RpcError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RpcError)) throw new Error("the runtime did not refuse", { cause: error });
  return error;
}

describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  let lab: Containerd;
  let pods: Pods;
  let session: NriSession;
  let handlers: RecordingHandlers;
  let hooks: HookRecord[];
  let lines: string[];
  let running: Pod[];

  beforeAll(async () => {
    lab = await startContainerd({ suite });
    pods = new Pods(lab);
  }, START_LIMIT_MS);
  afterAll(() => lab.stop(), TEST_LIMIT_MS);

  beforeEach(async () => {
    handlers = new RecordingHandlers();
    hooks = [];
    lines = [];
    running = [];
    session = new NriSession({
      address: { path: lab.nriSocket },
      pluginName: "dra.net",
      handlers,
      log: createLogger({ level: "info", write: (line) => lines.push(line) }),
      onHook: (record) => hooks.push(record),
    });
    await eventually("the session is synchronised", () => session.state.synchronised);
  });
  afterEach(async () => {
    await session[Symbol.asyncDispose]();
    for (const pod of running) {
      await pods.stop(pod);
      await pods.remove(pod);
    }
  }, TEST_LIMIT_MS);

  const run = async (name: string, annotations: Readonly<Record<string, string>> = {}): Promise<Pod> => {
    const pod = await pods.run({ name, annotations });
    running.push(pod);
    return pod;
  };

  test(
    "the handlers hear of a pod's whole life",
    async () => {
      expect(session.state.runtime?.name).toBe("containerd");
      const pod = await pods.run({ name: "life", annotations: { "netferry.dev/claims": "nic" } });
      await pods.launch(pod, { name: "main" });
      const netns = await pods.netns(pod);
      await pods.stop(pod);
      await pods.remove(pod);
      expect(handlers.heard).toEqual([
        "synchronize",
        "started life",
        "creating life/main",
        "stopped life",
        "removed life",
      ]);
      expect(handlers.sandboxes[0]).toMatchObject({
        id: pod.sandboxId,
        podUid: pod.uid,
        podName: "life",
        podNamespace: "default",
        annotations: { "netferry.dev/claims": "nic" },
        netnsPath: netns,
      });
      expect(handlers.sandboxes.map((sandbox) => sandbox.id)).toEqual(Array(3).fill(pod.sandboxId));
      expect(hooks.map(({ outcome, budgetMs }) => [outcome, budgetMs > 1_000 && budgetMs <= 1_500])).toEqual(
        Array(5).fill(["done", true]),
      );
    },
    TEST_LIMIT_MS,
  );

  test(
    "a pod in the host's network has no netns path",
    async () => {
      running.push(await pods.run({ name: "host", hostNetwork: true }));
      expect(handlers.sandboxes[0]).not.toHaveProperty("netnsPath");
    },
    TEST_LIMIT_MS,
  );

  test(
    "a change of CPUs and memory nodes holds in the container",
    async () => {
      const pod = await run("bound");
      const allowed = async () => {
        const containerId = await pods.launch(pod, { name: `c${hooks.length}` });
        const { stdout } = await pods.exec(containerId, "grep", "s_allowed_list", "/proc/self/status");
        return stdout.match(/[\d,-]+$/gm);
      };
      const [cpus, mems] = (await allowed()) ?? [];
      const first = cpus?.match(/^\d+/)?.[0] ?? "";
      handlers.change = { cpus: first, mems: mems ?? "" };
      expect(await allowed()).toEqual([first, mems ?? ""]);
      handlers.change = {};
      expect(await allowed()).toEqual([cpus ?? "", mems ?? ""]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a restart of containerd brings a new session, whose snapshot lists the live pod",
    async () => {
      const pod = await run("survivor");
      const containerId = await pods.launch(pod, { name: "main", env: { NETFERRY: "yes" } });
      const netns = await pods.netns(pod);
      await lab.restart({
        meanwhile: async () => {
          await eventually("the loss is seen", () => !session.state.connected);
        },
      });
      await eventually("the session is back", () => session.state.synchronised, 10_000);
      expect(handlers.heard.slice(-2)).toEqual(["disconnected", "synchronize"]);
      const snapshot = handlers.snapshots.at(-1);
      expect(snapshot?.sandboxes.map(({ id, netnsPath }) => ({ id, netnsPath }))).toEqual([
        { id: pod.sandboxId, netnsPath: netns },
      ]);
      expect(snapshot?.containers.map(({ id, sandboxId }) => ({ id, sandboxId }))).toEqual([
        { id: containerId, sandboxId: pod.sandboxId },
      ]);
      expect(snapshot?.containers[0]?.env).toContain("NETFERRY=yes");
      expect((await pods.exec(containerId, "echo", "alive")).stdout).toBe("alive\n");
      const later = await run("later");
      expect(handlers.sandboxes.at(-1)?.id).toBe(later.sandboxId);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a container is refused with the sentence of the ClaimError, and let in at the next try",
    async () => {
      const pod = await run("gated");
      handlers.onCreating = () => Promise.reject(new ClaimError("claim default/nic: the link eth7 is gone"));
      const refused = await refusal(pods.create(pod, { name: "main" }));
      expect(refused.details).toContain("claim default/nic: the link eth7 is gone");
      expect(refused.code).toBe(Code.FAILED_PRECONDITION);
      handlers.onCreating = async () => undefined;
      const containerId = await pods.launch(pod, { name: "main", attempt: 1 });
      expect((await pods.exec(containerId, "true")).exitCode).toBe(0);
      expect(handlers.heard).not.toContain("disconnected");
    },
    TEST_LIMIT_MS,
  );

  test(
    "a pod starts though its hook fails",
    async () => {
      handlers.onStarted = () => Promise.reject(new ClaimError("claim default/nic: no such link"));
      await run("failed");
      handlers.onStopped = () => Promise.reject(new Error("cannot bring eth7 home"));
      const pod = running.pop();
      if (pod === undefined) throw new Error("no pod runs");
      await pods.stop(pod);
      await pods.remove(pod);
      expect(handlers.heard).toEqual(["synchronize", "started failed", "stopped failed", "removed failed"]);
      expect(hooks.map((record) => record.outcome)).toEqual(["done", "failed", "failed", "done"]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "work that is slower than the runtime waits is answered in time, and containers are refused until it is done",
    async () => {
      const work = Promise.withResolvers<void>();
      handlers.onStarted = () => work.promise;
      handlers.onCreating = () => work.promise;
      const started = performance.now();
      const pod = await run("slow");
      expect(performance.now() - started).toBeGreaterThan(1_400); // the whole budget was used
      expect((await refusal(pods.create(pod, { name: "main" }))).details).toContain("still being attached");
      expect(session.state.synchronised).toBe(true);
      expect(handlers.heard).toEqual(["synchronize", "started slow", "creating slow/main"]);
      work.resolve();
      await eventually("the late work is done", () =>
        lines.some((line) => line.includes("late work of a hook is done")),
      );
      await pods.launch(pod, { name: "main", attempt: 1 });
      expect(hooks.map(({ hook, outcome }) => `${hook} ${outcome}`)).toEqual([
        "Synchronize done",
        "RunPodSandbox late",
        "CreateContainer refused",
        "CreateContainer done",
      ]);
      expect(handlers.heard).not.toContain("disconnected");
    },
    TEST_LIMIT_MS,
  );

  test(
    "a snapshot above 4 MiB is taken in whole",
    async () => {
      const ballast = "x".repeat(300_000);
      for (let index = 0; index < 15; index++) await run(`big${index}`, { ballast });
      await session[Symbol.asyncDispose]();
      handlers = new RecordingHandlers();
      session = new NriSession({
        address: { path: lab.nriSocket },
        pluginName: "dra.net",
        handlers,
        log: createLogger({ level: "info", write: (line) => lines.push(line) }),
      });
      await eventually("the session is synchronised", () => session.state.synchronised, 10_000);
      const names = handlers.snapshots[0]?.sandboxes.map((sandbox) => sandbox.podName).sort();
      expect(names).toEqual(running.map((pod) => pod.name).sort());
      expect(handlers.snapshots[0]?.sandboxes.every((sandbox) => sandbox.annotations["ballast"] === ballast)).toBe(
        true,
      );
      expect(handlers.snapshots.length).toBe(1);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a plugin that containerd launches itself works on the socket that it is given",
    async () => {
      const { nriPlugins } = labPaths(lab.dir);
      const script = join(nriPlugins, "00-launched");
      const state = join(lab.dir, "launched");
      const command = `${process.execPath} run ${join(import.meta.dir, "launched-plugin.ts")} ${state}`;
      const says = (what: string) => existsSync(state) && readFileSync(state, "utf8") === what;
      writeFileSync(script, `#!/bin/sh\nexec ${command}\n`, { mode: 0o755 });
      try {
        await lab.restart();
        // NRI before 0.7 sends no Synchronize to plugins that it launches.
        const reached = suite === "sid" ? "synchronised" : "registered";
        await eventually(`the launched plugin is ${reached}`, () => says(reached), 10_000);
      } finally {
        rmSync(script);
      }
      await lab.restart();
      await eventually("the launched plugin has ended with its runtime", () => says("ended"), 10_000);
      await eventually("the other session is back", () => session.state.synchronised, 10_000);
    },
    TEST_LIMIT_MS,
  );
});
