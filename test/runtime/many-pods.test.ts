/** Hundreds of pods come and go, eight at a time: nothing is left of them, neither in the system nor in memory. */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../fakes/eventually.ts";
import type { Agent } from "../lab/agent.ts";
import { HostLinks, hasLink, uniqueName } from "../lab/links.ts";
import { TestNode } from "../lab/node.ts";
import { findMounts } from "../lab/runtime/leftovers.ts";

const TEST_LIMIT_MS = 400_000; // the first start fetches packages
/** Allocators give memory back when they have time for it. */
const MEMORY_LIMIT_MS = 30_000;
const LANES = 8;
const MAX_GROWTH_KB_PER_POD = 20;

test(
  "300 pods, 8 at a time: descriptors, namespaces, mounts, receipts and memory stay as they were",
  async () => {
    await using crowd = await Crowd.start("sid");
    await crowd.run(LANES);
    const before = await crowd.traces();
    // The allocators of the three threads find their size in the first hundred or two; what leaks goes on for ever.
    await crowd.run(200);
    const kb = await anonymousKb(crowd.agent);
    await crowd.run(100);
    expectAsBefore(await crowd.traces(), before);
    await eventually(
      "memory is what it was a hundred pods ago",
      async () => ((await anonymousKb(crowd.agent)) - kb) / 100 < MAX_GROWTH_KB_PER_POD,
      MEMORY_LIMIT_MS,
    ).catch(async () => expect(((await anonymousKb(crowd.agent)) - kb) / 100).toBeLessThan(MAX_GROWTH_KB_PER_POD));
  },
  TEST_LIMIT_MS,
);

// What the agent keeps in memory is the same code's doing with every runtime; the events that it hears of are not.
test(
  "40 pods, 8 at a time, with containerd 1.7: descriptors, namespaces, mounts and receipts stay as they were",
  async () => {
    await using crowd = await Crowd.start("trixie");
    await crowd.run(LANES);
    const before = await crowd.traces();
    await crowd.run(4 * LANES);
    expectAsBefore(await crowd.traces(), before);
  },
  TEST_LIMIT_MS,
);

type Traces = Awaited<ReturnType<Crowd["traces"]>>;

function expectAsBefore(now: Traces, before: Traces): void {
  const { sockets: socketsNow, ...restNow } = now;
  const { sockets: socketsBefore, ...restBefore } = before;
  expect(restNow).toEqual(restBefore);
  // Connections for the work of eight pods may wait for more of it.
  expect(socketsNow).toBeLessThanOrEqual(socketsBefore + LANES);
}

/** A node with eight devices, each of which has one pod after the other. */
class Crowd implements AsyncDisposable {
  readonly agent: Agent;
  readonly #node: TestNode;
  readonly #links: HostLinks;
  readonly #devices: readonly string[];

  private constructor(node: TestNode, agent: Agent, links: HostLinks, devices: readonly string[]) {
    this.agent = agent;
    this.#node = node;
    this.#links = links;
    this.#devices = devices;
  }

  static async start(suite: "sid" | "trixie"): Promise<Crowd> {
    await using starting = new AsyncDisposableStack();
    const links = starting.use(new HostLinks());
    const devices = Array.from({ length: LANES }, () => links.vethToPeer(["10.74.0.1/24"]).ifname);
    // How quick the hooks are on a busy machine is not the matter here.
    const node = starting.use(await TestNode.start({ suite, requestTimeoutMs: 10_000 }));
    const agent = await node.agent({
      // Each question whether it is alive has the main thread and both Workers collect their garbage.
      faults: "gc:health.check,gc:kernel.ping",
      // Freed pages go back at once: what is left is what is kept, not what may be wanted again soon.
      env: { MIMALLOC_PURGE_DELAY: "0" },
    });
    starting.move();
    return new Crowd(node, agent, links, devices);
  }

  /** Starts and ends so many pods, one at a time on each device. */
  async run(pods: number): Promise<void> {
    let left = pods;
    const lane = async (device: string) => {
      while (left-- > 0) await this.#onePod(device);
    };
    await Promise.all(this.#devices.map(lane));
  }

  /** What a pod could leave behind. */
  async traces() {
    const files = openFiles(this.agent.pid);
    const { netnsDir, dir, cdiDir } = this.#node.lab;
    return {
      descriptors: countEach(files.filter((target) => !isSocket(target))),
      sockets: files.filter(isSocket).length,
      heldNamespaces: await this.agent.metric("dranet_driver_held_namespaces"),
      namespaceFiles: readdirSync(netnsDir),
      mounts: findMounts(dir),
      cdiDirectory: readdirSync(cdiDir),
      prepared: await this.agent.metric('dranet_driver_devices{state="prepared"}'),
      attached: await this.agent.metric('dranet_driver_devices{state="attached"}'),
    };
  }

  async #onePod(device: string): Promise<void> {
    const { kubelet, api } = this.#node;
    const claim = this.#node.claim(uniqueName("many"), {
      devices: device,
      config: { interface: { name: "net1", addresses: ["10.74.0.9/24"] } },
    });
    const { pod } = await kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
    expect(hasLink(device)).toBe(false);
    await kubelet.endPod(pod, [claim]);
    expect(hasLink(device)).toBe(true);
    api.store.remove("/api/v1/namespaces/default/pods", claim.name);
    api.store.remove("/apis/resource.k8s.io/v1/namespaces/default/resourceclaims", claim.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node[Symbol.asyncDispose]();
    this.#links[Symbol.dispose]();
  }
}

/** What the process has open, sockets and pipes by their numbers. */
function openFiles(pid: number): readonly string[] {
  const folder = join("/proc", String(pid), "fd");
  return readdirSync(folder).map((fd) => readlinkSync(join(folder, fd)));
}

function isSocket(target: string): boolean {
  return target.startsWith("socket:");
}

function countEach(texts: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}

/** Anonymous memory of the process when it has collected all its garbage: the least of readings, until it falls no more. */
async function anonymousKb(agent: Agent): Promise<number> {
  let leastKb = Number.POSITIVE_INFINITY;
  for (let readings = 0, since = 0; since < 12 && readings < 60; readings++, since++) {
    const alive = await fetch(`${await agent.url()}healthz`);
    expect(await alive.text()).toBe("ok\n");
    const found = /^Anonymous:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${agent.pid}/smaps_rollup`, "utf8"));
    const nowKb = Number(found?.[1]);
    if (nowKb < leastKb) [leastKb, since] = [nowKb, 0];
    await Bun.sleep(150); // the allocator's own thread gives memory back
  }
  return leastKb;
}
