/** The cluster in which pods are started, with netferry or DRANET in it, and what is counted there. */

import { BothDrivers, DRANET_ACCOUNT, type DriverName, mended } from "../cluster/both-drivers.ts";
import { isHome, type NetferryLab, type TestLink } from "../cluster/netferry-lab.ts";
import { noCloud } from "../lab/cluster/dranet-image.ts";
import { RequestCounter } from "../lab/cluster/requests.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claimTemplate, pod } from "../lab/cluster/workload.ts";
import { type AgentMemory, memoryOf } from "./agent.ts";
import { Churn } from "./churn.ts";
import type { PodWatch } from "./pod-watch.ts";
import { argvOf } from "./process.ts";

export const ARMS = ["no claim", "a claim", "a claim while others churn"] as const;
export type Arm = (typeof ARMS)[number];

export interface Counts {
  readonly reads: number;
  readonly writes: number;
  readonly prepareSeconds: number;
  readonly attachSeconds: number;
}

export interface Idle {
  readonly writes: number;
  readonly memory: AgentMemory;
}

const IDLE_SLACK_MS = 120_000;
/** As the images of both name it. */
const EXECUTABLES: Readonly<Record<DriverName, string>> = { netferry: "/netferry", DRANET: "/dranet" };

export class StartupPlace implements AsyncDisposable {
  readonly both: BothDrivers;
  readonly #owner: AsyncDisposableStack;
  readonly #requests: Readonly<Record<DriverName, RequestCounter>>;
  #links: TestLink[];
  #pods = 0;

  private constructor(
    owner: AsyncDisposableStack,
    both: BothDrivers,
    links: TestLink[],
    requests: Readonly<Record<DriverName, RequestCounter>>,
  ) {
    this.#owner = owner;
    this.both = both;
    this.#links = links;
    this.#requests = requests;
  }

  /** With as many links as pods of a turn want one at a time. */
  static async start(linkCount: number): Promise<StartupPlace> {
    await using owner = new AsyncDisposableStack();
    const { host: metadataHost } = owner.use(noCloud());
    const both = owner.use(await BothDrivers.start({ metadataHost }));
    const { lab } = both;
    const links: TestLink[] = [];
    for (let i = 0; i < linkCount; i++) links.push(await lab.macvlan());
    await lab.workload.create(
      claimTemplate("nic", {
        requests: { nic: links.map(({ ifname }) => byName(ifname)).join(" || ") },
        config: { interface: { name: "net1" } },
      }),
    );
    const requests = {
      netferry: await RequestCounter.start(lab.workload),
      DRANET: await RequestCounter.start(lab.workload, DRANET_ACCOUNT),
    };
    return new StartupPlace(owner.move(), both, links, requests);
  }

  get lab(): NetferryLab {
    return this.both.lab;
  }

  /** Once it runs, all links are at home as they were in the beginning, and offered. */
  async run(name: DriverName): Promise<void> {
    await this.both.run(name);
    this.#links = await Promise.all(this.#links.map(mended));
    for (const { ifname } of this.#links) await this.lab.workload.offeredLink(ifname);
  }

  /** Starts pods one after the other, then ends them all and waits until their links are at home. Milliseconds to Ready. */
  async turn(arm: Arm, watch: PodWatch): Promise<number[]> {
    if (arm !== "a claim while others churn") return await this.#turn(arm !== "no claim", watch);
    await using _ = new Churn(this.lab.workload, watch);
    return await this.#turn(true, watch);
  }

  async counts(): Promise<Counts> {
    const { agent, running } = this.both;
    const latency = (kind: string, labels: string) =>
      agent.metric(`dranet_driver_${kind}_requests_latency_seconds_sum{${labels}}`);
    return {
      ...(await this.#requests[running].count()),
      prepareSeconds: await latency("dra_plugin", 'method="PrepareResourceClaims"'),
      attachSeconds: await latency("nri_plugin", 'method="RunPodSandbox",status="success"'),
    };
  }

  /** Of the agent that runs, when nothing has happened for `seconds`. */
  async idle(seconds: number): Promise<Idle> {
    const before = await this.counts();
    const endMs = performance.now() + seconds * 1000;
    await until("the idle time is over", () => performance.now() > endMs, seconds * 1000 + IDLE_SLACK_MS);
    const { writes } = await this.counts();
    return { writes: writes - before.writes, memory: memoryOf(this.#agentPid()) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owner[Symbol.asyncDispose]();
  }

  async #turn(hasClaim: boolean, watch: PodWatch): Promise<number[]> {
    const { cluster, workload } = this.lab;
    const times: number[] = [];
    const names = this.#links.map(() => `startup-${this.#pods++}`);
    for (const name of names) {
      const object = pod(name, hasClaim ? { claims: { net: { template: "nic" } } } : {});
      const startMs = performance.now();
      const ready = watch.ready(name);
      await cluster.api.json("/api/v1/namespaces/default/pods", { method: "POST", body: object });
      times.push((await ready) - startMs);
    }
    await workload.deletePods(...names);
    if (this.both.running === "netferry") for (const link of this.#links) await isHome(link);
    else this.#links = await Promise.all(this.#links.map(mended));
    for (const { ifname } of this.#links) await workload.offeredLink(ifname);
    return times;
  }

  #agentPid(): number {
    const executable = EXECUTABLES[this.both.running];
    const found = this.lab.cluster.cgroup.pids().find((pid) => argvOf(pid)[0] === executable);
    if (found === undefined) throw new Error(`no process of the cluster is ${executable}`);
    return found;
  }
}
