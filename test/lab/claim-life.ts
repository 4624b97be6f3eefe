/** The steps of one claim's life on a test node, for tests that kill the agent between them. */

import { afterEach, beforeEach, expect } from "bun:test";
import { eventually } from "../fakes/eventually.ts";
import type { Agent } from "./agent.ts";
import { expectHostState, type HostState, hostState } from "./host-state.ts";
import { HostLinks, hasLink, ip, uniqueName } from "./links.ts";
import type { TestNode } from "./node.ts";
import { END_LIMIT_MS, nodeForTests, there } from "./node-for-tests.ts";
import type { ClaimRef } from "./runtime/kubelet.ts";
import type { Pod } from "./runtime/pods.ts";

/** A pod that slipped through has its link this long after the agent's start. */
export const LATE_LIMIT_MS = 2_000;
const ADDRESS = "10.71.0.9/24";

export class ClaimLife implements AsyncDisposable {
  readonly node: TestNode;
  readonly links = new HostLinks();
  #pods: Pod[] = [];

  constructor(node: TestNode) {
    this.node = node;
  }

  /** A macvlan with an address, an altname and a route: one that can be made anew when its namespace died. */
  async device(): Promise<{ readonly ifname: string; readonly before: HostState }> {
    const parent = this.links.vethToPeer().ifname;
    const ifname = uniqueName("m");
    const macvlan = ["link", parent, "type", "macvlan", "mode", "bridge"];
    this.links.run(["link", "set", parent, "up"]);
    this.links.run(["link", "add", ifname, ...macvlan], ["link", "del", ifname]);
    ip("link", "set", ifname, "mtu", "1450", "txqueuelen", "555", "alias", "spare", "up");
    ip("link", "property", "add", "dev", ifname, "altname", `${ifname}-alt`);
    ip("addr", "add", "10.71.0.5/24", "dev", ifname);
    ip("route", "add", "10.72.0.0/16", "via", "10.71.0.1", "dev", ifname, "metric", "77");
    await settled(ifname);
    return { ifname, before: hostState(ifname) };
  }

  claim(ifname: string): ClaimRef & { readonly podUid: string } {
    const config = { interface: { name: "net1", addresses: [ADDRESS] } };
    return this.node.claim(uniqueName("crash"), { devices: ifname, config });
  }

  /** An agent that has prepared a claim of a device. */
  async prepared(options: Parameters<TestNode["agent"]>[0] = {}) {
    const { ifname, before } = await this.device();
    const claim = this.claim(ifname);
    const agent = await this.node.agent(options);
    await this.node.kubelet.prepare(claim);
    return { ifname, before, claim, agent };
  }

  /** A sandbox of the claim's pod; `attempt` counts them. */
  runPod(claim: ClaimRef & { readonly podUid: string }, attempt = 0): Promise<Pod> {
    return this.run(claim.name, { uid: claim.podUid, attempt });
  }

  async run(name: string, options: { readonly uid?: string; readonly attempt?: number } = {}): Promise<Pod> {
    const pod = await this.node.pods.run({ name, ...options });
    this.#pods.push(pod);
    return pod;
  }

  /** A container that names the claim, started; answers its id. */
  launch(pod: Pod, name: string, claim: ClaimRef, attempt = 0): Promise<string> {
    return this.node.pods.launch(pod, { name, cdiDevices: receiptOf(claim), attempt });
  }

  async hasLink(containerId: string): Promise<boolean> {
    return (await this.node.pods.exec(containerId, "ip", "addr", "show", "net1")).stdout.includes(ADDRESS);
  }

  /** Seen from the host, whether or not a container runs. */
  async isInPod(pod: Pod): Promise<boolean> {
    const path = (await this.node.pods.netns(pod)) ?? "";
    const shown = Bun.spawnSync(["nsenter", `--net=${path}`, "ip", "addr", "show", "net1"]);
    return shown.stdout.toString().includes(ADDRESS);
  }

  async endPod(pod: Pod, claim: ClaimRef): Promise<void> {
    this.#pods = this.#pods.filter((other) => other !== pod);
    await this.node.kubelet.endPod(pod, [claim]);
  }

  async expectAtHome(ifname: string, before: HostState): Promise<void> {
    await eventually(`${ifname} is home`, () => hasLink(ifname));
    await expectHostState(ifname, before);
  }

  async expectNothingLeft(agent: Agent): Promise<void> {
    for (const metric of ["held_namespaces", "receipts", 'devices{state="attached"}', 'devices{state="prepared"}'])
      expect([metric, await agent.metric(`dranet_driver_${metric}`)]).toEqual([metric, 0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stopAgents();
    for (const pod of this.#pods) await this.node.pods.stop(pod).then(() => this.node.pods.remove(pod));
    this.links[Symbol.dispose]();
  }
}

export function receiptOf(claim: ClaimRef): readonly string[] {
  return [`netferry.dev/dra.net=${claim.uid}-nic`];
}

/** Link-local addresses leave the tentative state by themselves. */
export function settled(ifname: string): Promise<void> {
  return eventually(
    `${ifname} has no tentative address`,
    () => !ip("addr", "show", "dev", ifname).includes("tentative"),
  );
}

export interface LifeForTests {
  readonly node: TestNode;
  /** Of the test that runs. */
  readonly life: ClaimLife;
}

/** For the tests of the `describe` that calls it: a node that they share, and what each has for itself. */
export function lifeForTests(suite: "sid" | "trixie"): LifeForTests {
  const lab = nodeForTests({ suite });
  let life: ClaimLife | undefined;
  beforeEach(() => {
    life = new ClaimLife(lab.node);
  });
  afterEach(() => life?.[Symbol.asyncDispose](), END_LIMIT_MS);
  return {
    get node() {
      return lab.node;
    },
    get life() {
      return there("the test's claim", life);
    },
  };
}
