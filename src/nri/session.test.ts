import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../test/fakes/eventually.ts";
import { FakeNriRuntime } from "../../test/fakes/nri-runtime.ts";
import { RecordingHandlers } from "../../test/fakes/sandbox-handlers.ts";
import { createLogger } from "../lib/log.ts";
import { Plugin } from "../proto/gen/nri/api_pb.ts";
import { NriSession, type NriState } from "./session.ts";
import { launchedAddress } from "./socket.ts";

let directory = "";
let path = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "netferry-nri-"));
  path = join(directory, "nri.sock");
});
afterEach(() => rmSync(directory, { recursive: true }));

function start(handlers = new RecordingHandlers()) {
  const lines: string[] = [];
  const states: NriState[] = [];
  const session = new NriSession({
    address: { path },
    pluginName: "dra.net",
    handlers,
    log: createLogger({ level: "info", write: (line) => lines.push(line) }),
    onState: (state) => states.push(state),
  });
  return { session, handlers, lines, states };
}

for (const configureFirst of [false, true]) {
  test(`NriSession registers and synchronises when Configure comes ${configureFirst ? "before" : "after"} the answer`, async () => {
    await using runtime = await FakeNriRuntime.listen(path, { configureFirst });
    const { session, handlers, states } = start();
    await using _session = session;
    await eventually("synchronised", () => session.state.synchronised && runtime.plugins.length === 1);
    expect(session.state).toEqual({
      connected: true,
      registered: true,
      synchronised: true,
      runtime: { name: "fake", version: "v1" },
    });
    expect(runtime.plugins[0]).toMatchObject({ name: "dra.net", index: "00", events: 0x0f });
    expect(handlers.snapshots[0]?.sandboxes.map((sandbox) => sandbox.podName)).toEqual(["web"]);
    expect(states[0]).toMatchObject({ connected: true, registered: false, synchronised: false });
  });
}

test("NriSession connects again after the runtime was away, and says once why it waits", async () => {
  const { session, handlers, lines } = start();
  await using _session = session;
  {
    await using runtime = await FakeNriRuntime.listen(path);
    await eventually("the first registration", () => session.state.synchronised && runtime.plugins.length === 1);
  }
  await eventually("the loss is seen", () => !session.state.connected);
  expect(session.state.synchronised).toBe(false);
  await eventually("it has tried in vain", () => lines.filter((line) => line.includes("no connection")).length === 2);
  await using runtime = await FakeNriRuntime.listen(path);
  await eventually("the second registration", () => session.state.synchronised && runtime.plugins.length === 1);
  expect(handlers.heard).toEqual(["synchronize", "disconnected", "synchronize"]);
  const warnings = lines.filter((line) => line.includes('"warn"'));
  expect(warnings.length).toBe(2); // the loss, and the first refusal; not one for each try
});

test("NriSession tries on when its name is refused", async () => {
  await using _runtime = await FakeNriRuntime.listen(path, { refuse: true });
  const { session, handlers, lines } = start();
  await using _session = session;
  await eventually("two tries", () => handlers.heard.filter((what) => what === "disconnected").length >= 2);
  expect(session.state.registered).toBe(false);
  expect(lines.join()).toContain("invalid plugin name");
});

test("NriSession asks for a new snapshot when the handlers could not take one in", async () => {
  await using runtime = await FakeNriRuntime.listen(path);
  const handlers = new RecordingHandlers();
  handlers.onSynchronize = async () => {
    if (handlers.snapshots.length === 1) throw new Error("the store is locked");
  };
  const { session, lines } = start(handlers);
  await using _session = session;
  await eventually("synchronised at the second time", () => session.state.synchronised && runtime.plugins.length === 2);
  expect(handlers.heard).toEqual(["synchronize", "disconnected", "synchronize"]);
  expect(lines.join()).toContain("the store is locked");
});

test("NriSession answers the hook in flight before it hangs up", async () => {
  await using runtime = await FakeNriRuntime.listen(path);
  const handlers = new RecordingHandlers();
  const work = Promise.withResolvers<void>();
  handlers.onStarted = () => work.promise;
  const { session } = start(handlers);
  await eventually("registered", () => runtime.plugins.length === 1);
  const answer = runtime.plugins[0]?.client.call(
    Plugin.method.runPodSandbox,
    { pod: { id: "s2", name: "new" } },
    { timeoutMs: 2_000 },
  );
  await eventually("the hook has started", () => handlers.heard.includes("started new"));
  const disposed = session[Symbol.asyncDispose]();
  work.resolve();
  await answer;
  await disposed;
  expect(handlers.heard.at(-1)).toBe("disconnected");
  await session.ended;
});

test("NriSession ends while it waits for a runtime that is not there", async () => {
  const { session } = start();
  await session[Symbol.asyncDispose]();
  await session.ended;
  expect(session.state.connected).toBe(false);
});

test("launchedAddress() knows a plugin that the runtime launched", () => {
  expect(launchedAddress({ NRI_PLUGIN_SOCKET: "3" })).toEqual({ fd: 3 });
  expect(launchedAddress({})).toBeUndefined();
  expect(launchedAddress({ NRI_PLUGIN_SOCKET: "x" })).toBeUndefined();
});
