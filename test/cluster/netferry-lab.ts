/** A cluster with netferry in it, and links of the host that only this cluster's agent offers. */

import { expect } from "bun:test";
import { eventually } from "../fakes/eventually.ts";
import { type Cluster, type ClusterOptions, startCluster } from "../lab/cluster/cluster.ts";
import { type InstallOptions, importNetferry, installNetferry, type Netferry } from "../lab/cluster/netferry.ts";
import { Workload } from "../lab/cluster/workload.ts";
import { type HostState, hostState } from "../lab/host-state.ts";
import { HostLinks, hasLink, ip, uniqueName } from "../lab/links.ts";
import { RELEASE } from "./release.ts";

/** Its node shares the network of the machine, so the agent is told by alias which links are the test's. */
export const ALIAS = `cluster-${process.pid}`;
export const OWN_LINKS = `"dra.net/alias" in attributes && attributes["dra.net/alias"].StringValue == "${ALIAS}"`;
const HOME_LIMIT_MS = 90_000;

export const AGENT_ARGS = [
  `--filter=${OWN_LINKS}`,
  "--inventory-min-poll-interval=200ms",
  "--inventory-max-poll-interval=2s",
  // No test asks the metadata service of the machine that it runs on.
  "--cloud-provider-hint=NONE",
];

export interface LabOptions extends ClusterOptions {
  readonly install?: InstallOptions | false;
}

export class NetferryLab implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly workload: Workload;
  readonly links = new HostLinks();
  #netferry: Netferry | undefined;
  #networks = 0;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.workload = new Workload(cluster);
  }

  static async start({ install, ...options }: LabOptions = {}): Promise<NetferryLab> {
    const lab = new NetferryLab(await startCluster({ release: RELEASE, ...options }));
    try {
      await importNetferry(lab.cluster);
      if (install !== false) await lab.install(install);
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  get netferry(): Netferry {
    if (this.#netferry === undefined) throw new Error("netferry is not installed");
    return this.#netferry;
  }

  async install(options: InstallOptions = {}): Promise<Netferry> {
    // Of a flag that is given twice the last value counts.
    this.#netferry = await installNetferry(this.cluster, {
      ...options,
      args: [...AGENT_ARGS, ...(options.args ?? [])],
    });
    return this.#netferry;
  }

  /** A macvlan over a veth whose other end answers to `peer`; waits until it is offered, unless `waits` is false. */
  async macvlan({ waits = true } = {}): Promise<TestLink> {
    const network = `10.73.${this.#networks++}`;
    const parent = this.links.vethToPeer([`${network}.1/24`]).ifname;
    this.links.run(["link", "set", parent, "up"]);
    const ifname = uniqueName("m");
    const facts = { ifname, parent, peer: `${network}.1`, home: `${network}.5/24`, address: `${network}.9/24` };
    const link = await this.bootLink(facts);
    if (waits) await this.workload.offeredLink(ifname);
    return link;
  }

  /** Without addresses, on one parent. Returns their names at once. */
  async manyMacvlans(count: number): Promise<readonly string[]> {
    const parent = this.links.vethToPeer().ifname;
    this.links.run(["link", "set", parent, "up"]);
    const names = Array.from({ length: count }, () => uniqueName("m"));
    const batch = names.flatMap((name) => [
      `link add ${name} link ${parent} type macvlan mode bridge`,
      `link set ${name} alias ${ALIAS}`,
    ]);
    const { success, stderr } = Bun.spawnSync(["ip", "-batch", "-"], { stdin: Buffer.from(batch.join("\n")) });
    if (!success) throw new Error(`ip -batch: ${stderr.toString()}`);
    return names;
  }

  /** Makes the link (again), as a boot does. */
  async bootLink(facts: Omit<TestLink, "before">): Promise<TestLink> {
    const { ifname, parent, home } = facts;
    const kind = ["type", "macvlan", "mode", "bridge"];
    this.links.run(["link", "add", ifname, "link", parent, ...kind], ["link", "del", ifname]);
    ip("link", "set", ifname, "alias", ALIAS, "mtu", "1450", "txqueuelen", "555", "up");
    ip("addr", "add", home, "dev", ifname);
    await settled(ifname);
    return { ...facts, before: hostState(ifname) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.down();
    this.links[Symbol.dispose]();
  }
}

export interface TestLink {
  readonly ifname: string;
  readonly parent: string;
  /** Its address on the host. */
  readonly home: string;
  /** Answers pings. */
  readonly peer: string;
  /** One to configure in a pod. */
  readonly address: string;
  readonly before: HostState;
}

/** The configuration that a pod of these tests gets. */
export function netConfig({ address }: TestLink, name = "net1"): object {
  return { interface: { name, addresses: [address] } };
}

/** Waits for the link, and until `ip` says of it what it said before; one that was made anew has another index. */
export async function isHome({ ifname, before }: TestLink, { madeAnew = false } = {}): Promise<void> {
  await eventually(`${ifname} is home`, () => hasLink(ifname), HOME_LIMIT_MS);
  await settled(ifname);
  const comparable = (state: HostState) =>
    madeAnew ? { ...state, link: { ...(state.link as object), ifindex: 0 } } : state;
  const same = () => Bun.deepEquals(comparable(hostState(ifname)), comparable(before));
  // Its configuration follows the move. What stays different is shown.
  await eventually("it is as before", same, HOME_LIMIT_MS).catch(() =>
    expect(comparable(hostState(ifname))).toEqual(comparable(before)),
  );
}

/** Waits until the kernel has made sure of its addresses. */
export function settled(ifname: string): Promise<void> {
  const isSettled = () => !ip("addr", "show", "dev", ifname).includes("tentative");
  return eventually(`${ifname} has no tentative address`, isSettled, HOME_LIMIT_MS);
}
