/** Runs in an emulated machine: a VLAN of a device, from the claim to a packet, and what excludes what. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { eventually } from "../../fakes/eventually.ts";
import { expectHostState, type HostState, hostState } from "../../lab/host-state.ts";
import { HostLinks, ip, ipJson, uniqueName } from "../../lab/links.ts";
import { TestNode } from "../../lab/node.ts";
import { refusal } from "../../lab/refusal.ts";
import type { ClaimRef } from "../../lab/runtime/kubelet.ts";
import type { Pod } from "../../lab/runtime/pods.ts";

let node: TestNode;
let links: HostLinks;

beforeAll(async () => {
  node = await TestNode.start({ suite: "sid", requestTimeoutMs: 60_000 });
});
afterAll(() => node[Symbol.asyncDispose]());
beforeEach(() => {
  links = new HostLinks();
});
afterEach(async () => {
  await node.stopAgents();
  links[Symbol.dispose]();
});

/** A device whose other end answers at 10.94.0.1, and in VLAN 5 at 10.95.0.1. */
async function parent(): Promise<{ readonly ifname: string; readonly before: HostState }> {
  const { ifname, peer, netns } = links.vethToPeer(["10.94.0.1/24"]);
  ip("link", "set", ifname, "up");
  ip("addr", "add", "10.94.0.5/24", "dev", ifname);
  ip("-n", netns, "link", "add", "link", peer, "name", "tagged", "type", "vlan", "id", "5");
  ip("-n", netns, "addr", "add", "10.95.0.1/24", "dev", "tagged");
  ip("-n", netns, "link", "set", "tagged", "up");
  await eventually("no address is tentative", () => !ip("addr", "show", "dev", ifname).includes("tentative"));
  return { ifname, before: hostState(ifname) };
}

interface Child {
  readonly claim: ClaimRef & { readonly podUid: string };
  readonly pod: Pod;
  inPod(...command: string[]): string;
}

function claimOf(ifname: string, classConfig: object, config: object) {
  return node.claim(uniqueName("child"), {
    devices: ifname,
    classConfig,
    config,
    shareIds: { nic: crypto.randomUUID() },
  });
}

async function start(ifname: string, classConfig: object, config: object): Promise<Child> {
  const claim = claimOf(ifname, classConfig, config);
  const { pod } = await node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
  const netns = (await node.pods.netns(pod)) ?? "";
  return {
    claim,
    pod,
    inPod: (...command) => {
      const { stdout, stderr } = Bun.spawnSync(["nsenter", `--net=${netns}`, ...command]);
      return stdout.toString() + stderr.toString();
    },
  };
}

function answers({ inPod }: Child, address: string): Promise<void> {
  return eventually(`${address} answers`, () =>
    inPod("ping", "-c", "1", "-W", "2", address).includes(" 0% packet loss"),
  );
}

const end = ({ pod, claim }: Child) => node.kubelet.endPod(pod, [claim]);

function childrenOnHost(ifname: string): number {
  const all = ipJson("link", "show") as { ifname: string; link?: string }[];
  return all.filter(({ link, ifname: name }) => link === ifname || name.startsWith("nf")).length;
}

test("VLAN: the class says which, the pod speaks in it, and it is not given twice", async () => {
  const { ifname, before } = await parent();
  const first = await node.agent();
  const vlan = { interface: { type: "VLAN", vlan: { id: 5 } } };
  const child = await start(ifname, vlan, { interface: { name: "net1", addresses: ["10.95.0.10/24"] } });
  await answers(child, "10.95.0.1");
  expect(child.inPod("ip", "-d", "link", "show", "net1")).toContain("vlan protocol 802.1Q id 5");
  expect(await refusal(node.kubelet.prepare(claimOf(ifname, vlan, {})))).toContain(
    "two links on one parent cannot have the same VLAN",
  );
  // Its namespace dies while nobody looks.
  await first.kill();
  await node.pods.stop(child.pod);
  await node.agent();
  await end(child);
  await expectHostState(ifname, before);
  expect(childrenOnHost(ifname)).toBe(0);
  links.run(["link", "add", "link", ifname, "name", "own5", "type", "vlan", "id", "5"], ["link", "del", "own5"]);
  expect(await refusal(node.kubelet.prepare(claimOf(ifname, vlan, {})))).toContain(
    `${ifname} has own5 of the host on it already, and two links on one parent cannot have the same VLAN`,
  );
});
