/**
 * Section: the compiled agent. From exec to ready, in both modes in turns; a hook and Prepare by its sockets; its memory
 * when nothing happens. Runs in a network and mount namespace of its own, with 32 devices.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Plugin } from "../../src/proto/gen/nri/api_pb.ts";
import { startContainerd } from "../lab/runtime/containerd.ts";
import type { BenchAgent } from "./agent.ts";
import { ClusterSide } from "./cluster-side.ts";
import { hand, Recorder, roundsAsked } from "./figures.ts";
import { makePairs } from "./links.ts";
import { StandaloneSide } from "./standalone-side.ts";

const PAIRS = 16;
const WARM_UP_ROUNDS = 10;
const CONFIG = { interface: { name: "net1", mtu: 1400, addresses: ["10.90.0.2/24", "fd90::2/64"] } };
const TIMEOUT = { timeoutMs: 2_000 };

const rounds = roundsAsked();
/** Seconds from exec to the look at the memory. */
const idleSeconds = Number(process.argv[3] ?? "60");
const recorder = new Recorder();
const dir = mkdtempSync(join(tmpdir(), "netferry-bench-"));
try {
  makePairs(0, PAIRS);
  await using lab = await startContainerd({ suite: "sid" });
  recorder.facts["containerd"] = lab.versions.containerd;
  await using cluster = await ClusterSide.start(dir, lab);
  const standalone = new StandaloneSide(dir, lab);
  await measureStarts(cluster, standalone);
  await measureCalls(cluster);
  await measureIdle(cluster, standalone);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
await hand(recorder.figures);

async function measureStarts(cluster: ClusterSide, standalone: StandaloneSide): Promise<void> {
  for (let round = -1; round < rounds; round++) {
    if (round === 0) recorder.clear(); // the first start reads the executable from the disk
    for (const [mode, side] of [
      ["cluster", cluster],
      ["standalone", standalone],
    ] as const) {
      const { agent, readyMs } = await side.agent();
      recorder.add(`exec to ready: ${mode}`, readyMs);
      await agent[Symbol.asyncDispose]();
    }
  }
}

/** Of one agent: a pod without claims passes its hook; a claim is prepared and unprepared. */
async function measureCalls(cluster: ClusterSide): Promise<void> {
  const { agent } = await cluster.agent();
  await using _ = agent;
  const plugin = cluster.runtime.plugins.at(-1);
  if (plugin === undefined) throw new Error(`no plugin has registered:\n${agent.log()}`);
  const calls = new Recorder();
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    if (round === 0) calls.clear();
    const pod = { id: `s${round}`, uid: `u${round}`, name: `p${round}`, namespace: "default" };
    await calls.time("NRI round trip: RunPodSandbox of a pod without claims", () =>
      plugin.client.call(Plugin.method.runPodSandbox, { pod }, TIMEOUT),
    );
    const claim = cluster.claim(`claim-${round + WARM_UP_ROUNDS}`, "va0", CONFIG);
    await calls.time("Prepare, as the kubelet sees it", () => cluster.kubelet.prepare(claim));
    await calls.time("Unprepare, as the kubelet sees it", () => cluster.kubelet.unprepare(claim));
  }
  for (const [name, values] of Object.entries(calls.figures.series)) for (const ms of values) recorder.add(name, ms);
}

/** Of fresh agents, both at a time. */
async function measureIdle(cluster: ClusterSide, standalone: StandaloneSide): Promise<void> {
  await using agents = new AsyncDisposableStack();
  const idle: [string, BenchAgent][] = [];
  for (const [mode, side] of [
    ["cluster", cluster],
    ["standalone", standalone],
  ] as const)
    idle.push([mode, agents.use((await side.agent()).agent)]);
  for (const [mode, agent] of idle) {
    await Bun.sleep(Math.max(0, idleSeconds * 1000 - agent.ageMs));
    const { residentMb, anonymousMb, proportionalMb } = agent.memory;
    recorder.facts[`idle: ${mode}, resident MB`] = residentMb;
    recorder.facts[`idle: ${mode}, anonymous MB`] = anonymousMb;
    recorder.facts[`idle: ${mode}, proportional MB`] = proportionalMb;
  }
}
