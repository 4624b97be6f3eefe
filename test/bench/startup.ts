/**
 * `./dev bench startup [--pods N] [--idle SECONDS] [--write]`: from a pod's creation to its readiness in a real cluster, in
 * three arms that take turns. `--write` puts the figures into docs/benchmarks.md. Needs root, and the cluster lab's builds.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isHome, NetferryLab, type TestLink } from "../cluster/netferry-lab.ts";
import { RequestCounter } from "../lab/cluster/requests.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claimTemplate, pod } from "../lab/cluster/workload.ts";
import { Churn } from "./churn.ts";
import { load, machine } from "./machine.ts";
import { PodWatch } from "./pod-watch.ts";
import { quantile } from "./statistics.ts";

const PAGE = join(import.meta.dir, "../../docs/benchmarks.md");
const BEGIN = "<!-- figures: written by ./dev bench startup --write -->";
const END = "<!-- end of figures of startup -->";
/** Pods of one turn of an arm; each has a link that waits for it. */
const TURN = 10;
const HOME_LIMIT_MS = 120_000;
const ARMS = ["no claim", "a claim", "a claim while others churn"] as const;
type Arm = (typeof ARMS)[number];

const { values } = parseArgs({
  options: {
    pods: { type: "string", default: "100" },
    idle: { type: "string", default: "600" },
    write: { type: "boolean", default: false },
  },
});
const turns = Math.max(1, Math.round(Number(values.pods) / TURN));
const idleSeconds = Number(values.idle);

await using lab = await NetferryLab.start();
await using watch = await PodWatch.start(lab.cluster);
const links: TestLink[] = [];
for (let i = 0; i < TURN; i++) links.push(await lab.macvlan());
await lab.workload.create(
  claimTemplate("nic", {
    requests: { nic: links.map(({ ifname }) => byName(ifname)).join(" || ") },
    config: { interface: { name: "net1" } },
  }),
);
const requests = await RequestCounter.start(lab.workload);
const loadBefore = load();
const startupMs: Record<Arm, number[]> = { "no claim": [], "a claim": [], "a claim while others churn": [] };
let started = 0;
const asked = { reads: 0, writes: 0, prepareSeconds: 0, attachSeconds: 0 };
await turn("no claim"); // the first pods of a cluster are slower
await turn("a claim");
if ((await requests.count()).reads === 0) throw new Error("the API server does not count netferry's requests");
for (let i = 0; i < turns; i++)
  for (const arm of rotated(ARMS, i)) {
    const before = await counts();
    if (arm === ARMS[2]) {
      await using _ = new Churn(lab.workload, watch);
      startupMs[arm].push(...(await turn(arm)));
    } else startupMs[arm].push(...(await turn(arm)));
    const after = await counts();
    if (arm !== "a claim") continue;
    for (const key of Object.keys(asked) as (keyof typeof asked)[]) asked[key] += after[key] - before[key];
    console.error(`${i + 1} of ${turns} turns`);
  }

const idleBefore = await counts();
const idleEndMs = performance.now() + idleSeconds * 1000;
await until("the idle time is over", () => performance.now() > idleEndMs, idleSeconds * 1000 + HOME_LIMIT_MS);
const idleAfter = await counts();

const text = report();
console.log(text);
if (values.write) write(text);

/** Starts pods one after the other, then ends them all and waits until their links are at home. */
async function turn(arm: Arm): Promise<number[]> {
  const times: number[] = [];
  const names = links.map((_, i) => `startup-${started++}-${i}`);
  for (const name of names) {
    const object = pod(name, arm === "no claim" ? {} : { claims: { net: { template: "nic" } } });
    const startMs = performance.now();
    const ready = watch.ready(name);
    await lab.cluster.api.json("/api/v1/namespaces/default/pods", { method: "POST", body: object });
    times.push((await ready) - startMs);
  }
  await lab.workload.deletePods(...names);
  for (const link of links) await isHome(link);
  return times;
}

async function counts() {
  const latency = (kind: string, labels: string) =>
    lab.netferry.metric(`dranet_driver_${kind}_requests_latency_seconds_sum{${labels}}`);
  return {
    ...(await requests.count()),
    prepareSeconds: await latency("dra_plugin", 'method="PrepareResourceClaims"'),
    attachSeconds: await latency("nri_plugin", 'method="RunPodSandbox",status="success"'),
  };
}

function report(): string {
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  const base = startupMs["no claim"];
  const rows = ARMS.map((arm) => {
    const cells = [0.5, 0.9, 0.99].map((share) => {
      const value = quantile(startupMs[arm], share);
      const more = value - quantile(base, share);
      return arm === "no claim"
        ? seconds(value)
        : `${seconds(value)} (${more < 0 ? "−" : "+"}${seconds(Math.abs(more))})`;
    });
    return `| ${arm} | ${startupMs[arm].length} | ${cells.join(" | ")} |`;
  });
  const pods = startupMs["a claim"].length;
  const each = (value: number, digits: number) => (value / pods).toFixed(digits);
  const idleHours = idleSeconds / 3600;
  return [
    `${machine()}. Kubernetes ${lab.cluster.versions.kubernetes}, containerd ${lab.cluster.versions.containerd}. Load of the machine before and after: ${loadBefore.toFixed(2)}, ${load().toFixed(2)}.`,
    [
      "| creation to Ready, seconds (more than without a claim) | pods | P50 | P90 | P99 |",
      "|---|---|---|---|---|",
      ...rows,
      "| the paper, with a claim | 100 | 1.8 | 2.1 | 2.3 |",
    ].join("\n"),
    [
      "| with a claim | figure | aim |",
      "|---|---|---|",
      `| netferry's own share of a pod: Prepare, milliseconds | ${each(asked.prepareSeconds * 1000, 1)} | |`,
      `| netferry's own share of a pod: the hook, milliseconds | ${each(asked.attachSeconds * 1000, 1)} | |`,
      `| requests to the API server per pod, of these writes | ${each(asked.reads + asked.writes, 2)}, ${each(asked.writes, 2)} | at most 5 |`,
      `| writes to the API server per idle hour, measured over ${idleSeconds} s | ${((idleAfter.writes - idleBefore.writes) / idleHours).toFixed(0)} | 0 |`,
    ].join("\n"),
  ].join("\n\n");
}

function write(text: string): void {
  const page = readFileSync(PAGE, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${PAGE} lacks the marks between which the figures stand`);
  writeFileSync(PAGE, `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${page.slice(end)}`);
}

function rotated<T>(all: readonly T[], by: number): readonly T[] {
  const at = by % all.length;
  return [...all.slice(at), ...all.slice(0, at)];
}
