/** Runs in an emulated machine: a VLAN and IPVLANs of a device, from the claim to a packet, and what excludes what. */

import { expect, test } from "bun:test";
import { eventually } from "../../fakes/eventually.ts";
import { MetadataService } from "../../fakes/metadata-service.ts";
import type { ServerPlace } from "../../lab/dhcp-servers.ts";
import { guestNodeForTests } from "../../lab/guest-node.ts";
import { expectHostState, type HostState, hostState } from "../../lab/host-state.ts";
import { ip, ipJson, uniqueName, writeSysctl } from "../../lab/links.ts";
import { Radvd } from "../../lab/radvd.ts";
import { refusal } from "../../lab/refusal.ts";
import type { ClaimRef } from "../../lab/runtime/kubelet.ts";
import type { Pod } from "../../lab/runtime/pods.ts";

const lab = guestNodeForTests();

/** A device whose other end answers at 10.94.0.1, and in VLAN 5 at 10.95.0.1. */
async function parent(): Promise<{ readonly ifname: string; readonly before: HostState; readonly place: ServerPlace }> {
  const { ifname, peer, netns } = lab.links.vethToPeer(["10.94.0.1/24"]);
  // With a default route of a router it would be the host's own way out, which is not offered.
  writeSysctl("ipv6", ifname, "accept_ra", "0");
  ip("link", "set", ifname, "up");
  ip("addr", "add", "10.94.0.5/24", "dev", ifname);
  ip("-n", netns, "link", "add", "link", peer, "name", "tagged", "type", "vlan", "id", "5");
  ip("-n", netns, "addr", "add", "10.95.0.1/24", "dev", "tagged");
  ip("-n", netns, "link", "set", "tagged", "up");
  await eventually("no address is tentative", () => !ip("addr", "show", "dev", ifname).includes("tentative"));
  return { ifname, before: hostState(ifname), place: { netns, ifname: peer } };
}

interface Child {
  readonly claim: ClaimRef & { readonly podUid: string };
  readonly pod: Pod;
  inPod(...command: string[]): string;
}

function claimOf(ifname: string, classConfig: object, config: object) {
  return lab.node.claim(uniqueName("child"), {
    devices: ifname,
    classConfig,
    config,
    shareIds: { nic: crypto.randomUUID() },
  });
}

async function start(ifname: string, classConfig: object, config: object): Promise<Child> {
  const claim = claimOf(ifname, classConfig, config);
  const { pod } = await lab.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
  const netns = (await lab.node.pods.netns(pod)) ?? "";
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

/** What the claim's status says of its device. */
function told({ claim }: Child): string {
  const path = `/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/${claim.name}`;
  return JSON.stringify(lab.node.api.store.get(path)?.["status"]);
}

const end = ({ pod, claim }: Child) => lab.node.kubelet.endPod(pod, [claim]);

function childrenOnHost(ifname: string): number {
  const all = ipJson("link", "show") as { ifname: string; link?: string }[];
  return all.filter(({ link, ifname: name }) => link === ifname || name.startsWith("nf")).length;
}

test("VLAN: the class says which, the pod speaks in it, and it is not given twice", async () => {
  const { ifname, before } = await parent();
  const first = await lab.node.agent();
  const vlan = { interface: { type: "VLAN", vlan: { id: 5 } } };
  const child = await start(ifname, vlan, { interface: { name: "net1", addresses: ["10.95.0.10/24"] } });
  await answers(child, "10.95.0.1");
  expect(child.inPod("ip", "-d", "link", "show", "net1")).toContain("vlan protocol 802.1Q id 5");
  expect(await refusal(lab.node.kubelet.prepare(claimOf(ifname, vlan, {})))).toContain(
    "two links on one parent cannot have the same VLAN",
  );
  // Its namespace dies while nobody looks.
  await first.kill();
  await lab.node.pods.stop(child.pod);
  await lab.node.agent();
  await end(child);
  await expectHostState(ifname, before);
  expect(childrenOnHost(ifname)).toBe(0);
  lab.links.run(["link", "add", "link", ifname, "name", "own5", "type", "vlan", "id", "5"], ["link", "del", "own5"]);
  expect(await refusal(lab.node.kubelet.prepare(claimOf(ifname, vlan, {})))).toContain(
    `${ifname} has own5 of the host on it already, and two links on one parent cannot have the same VLAN`,
  );
});

const shareable = (ifname: string) => [
  ...["--shareable", `attributes["dra.net/ifName"].StringValue == "${ifname}"`, "--max-shares", "8"],
];

test("IPVLAN: two pods have links of their own on a device, which stays as it is and speaks on", async () => {
  const { ifname, before } = await parent();
  const agent = await lab.node.agent({ args: shareable(ifname) });
  const ipvlan = (link: object) => start(ifname, {}, { interface: { type: "IPVLAN", name: "net1", ...link } });
  const sizes = { gsoMaxSize: 32_768, groMaxSize: 32_768, gsoIPv4MaxSize: 32_768, groIPv4MaxSize: 32_768 };
  const settings = { arpIgnore: 1, arpAnnounce: 2, acceptRA: 0 };
  const one = await ipvlan({ addresses: ["10.94.0.11/24"], mtu: 1400, ...sizes, ...settings });
  const two = await ipvlan({ addresses: ["10.94.0.12/24"] });
  const mac = Reflect.get(Object(ipJson("link", "show", "dev", ifname)[0]), "address");
  for (const [child, mtu, address] of [
    [one, 1400, "10.94.0.11/24"],
    [two, 1500, "10.94.0.12/24"],
  ] as const) {
    const shown = child.inPod("ip", "-d", "addr", "show", "net1");
    for (const text of ["ipvlan  mode l2", `mtu ${mtu}`, `link/ether ${mac}`, `inet ${address}`])
      expect(shown).toContain(text);
    expect(shown).not.toContain("10.94.0.5");
    await answers(child, "10.94.0.1");
    await eventually("the claim tells the address", () => told(child).includes(`"ips":["${address}"]`));
  }
  const keys = ["ipv4/conf/net1/arp_ignore", "ipv4/conf/net1/arp_announce", "ipv6/conf/net1/accept_ra"];
  expect(keys.map((key) => one.inPod("cat", `/proc/sys/net/${key}`).trim())).toEqual(["1", "2", "0"]);
  expect(one.inPod("ip", "-d", "link", "show", "net1")).toMatch(/gso_max_size 32768 .*gro_max_size 32768/);
  await answers(two, "10.94.0.11");
  // The device goes on being the host's, with its address.
  expect(hostState(ifname)).toEqual(before);
  expect(ip("route", "get", "10.94.0.1")).toContain(`dev ${ifname} src 10.94.0.5`);
  expect(Bun.spawnSync(["ping", "-c", "1", "-W", "5", "10.94.0.1"]).stdout.toString()).toContain(" 0% packet loss");
  expect(await refusal(lab.node.kubelet.prepare(claimOf(ifname, {}, { interface: { type: "MACVLAN" } })))).toContain(
    "ipvlan and macvlan links exclude each other on one parent",
  );
  await end(one);
  await answers(two, "10.94.0.1");
  await end(two);
  await expectHostState(ifname, before);
  expect(childrenOnHost(ifname)).toBe(0);
  for (const metric of ["held_namespaces", "receipts", 'devices{state="attached"}'])
    expect([metric, await agent.metric(`dranet_driver_${metric}`)]).toEqual([metric, 0]);
});

test("IPVLAN with policy routing: what only the claim's rules find answers", async () => {
  const { ifname, before, place } = await parent();
  ip("-n", place.netns, "addr", "add", "10.96.0.1/24", "dev", place.ifname);
  await lab.node.agent();
  const table = 150;
  const child = await start(
    ifname,
    {},
    {
      interface: { type: "IPVLAN", name: "net1", addresses: ["10.94.0.11/32"] },
      routes: [
        { destination: "10.96.0.0/24", gateway: "10.94.0.1", table },
        { destination: "10.94.0.1/32", scope: 253, table },
      ],
      rules: [
        { source: "10.94.0.11/32", table, priority: 32_000 },
        { destination: "10.96.0.0/24", table, priority: 32_000 },
      ],
    },
  );
  expect(child.inPod("ip", "route", "show", "table", "main")).not.toContain("net1");
  // The other end has its own way back, by the child's address on the link.
  await answers(child, "10.96.0.1");
  await end(child);
  await expectHostState(ifname, before);
});

test("IPVLAN on GCE: pods have addresses of the interface's alias range, and the way out by its gateway", async () => {
  using service = new MetadataService("gce");
  const { ifname, before, place } = await parent();
  const [{ address: mac }] = ipJson("link", "show", "dev", ifname) as [{ address: string }];
  service.answers.set("/computeMetadata/v1/instance/network-interfaces/?recursive=true&alt=json", [
    { mac, network: "projects/1/networks/n", gateway: "10.94.0.1", ipAliases: ["10.97.0.0/28"] },
  ]);
  // The cloud leads the range to the machine, and answers from beyond the gateway.
  ip("-n", place.netns, "route", "add", "10.97.0.0/28", "dev", place.ifname);
  ip("-n", place.netns, "addr", "add", "10.98.0.1/32", "dev", place.ifname);
  const cloud = ["--cloud-provider-hint", "GCE", "--cloud-provider-options", `gce.endpoint=${service.url}`];
  const agent = await lab.node.agent({ args: [...shareable(ifname), ...cloud] });
  await agent.logged(({ message }) => message === "the cloud's metadata are read");
  const config = { interface: { type: "IPVLAN", name: "net1" } };
  const both = [await start(ifname, {}, config), await start(ifname, {}, config)] as const;
  const addresses = both.map(
    (child) => /inet (10\.97\.0\.\d+)\/32/.exec(child.inPod("ip", "addr", "show", "net1"))?.[1],
  );
  expect(addresses).not.toContain(undefined);
  expect(new Set(addresses).size).toBe(2);
  for (const [index, child] of both.entries()) {
    expect(child.inPod("ip", "rule")).toContain(`32000:\tfrom ${addresses[index]} lookup`);
    await eventually("what is beyond the gateway answers", () =>
      child.inPod("ping", "-c", "1", "-W", "2", "-I", addresses[index] ?? "", "10.98.0.1").includes(" 0% packet loss"),
    );
    await eventually("the claim tells", () => told(child).includes(`"ips":["${addresses[index]}/32"]`));
  }
  for (const child of both) await end(child);
  await expectHostState(ifname, before);
});

test("IPVLAN with SLAAC: pods on one device make addresses that differ, though their hardware address is one", async () => {
  const { ifname, before, place } = await parent();
  await using _router = await Radvd.start(place, "fd00:94::/64");
  await lab.node.agent({ args: [...shareable(ifname), "--slaac-ready-timeout", "20s"] });
  const slaac = { type: "IPVLAN", name: "net1", addressing: "SLAAC" };
  const both = [await start(ifname, {}, { interface: slaac }), await start(ifname, {}, { interface: slaac })] as const;
  const addresses: string[] = [];
  for (const child of both) {
    expect(child.inPod("ip", "-d", "link", "show", "net1")).toContain("addrgenmode random");
    const [, address = ""] = /inet6 (fd00:94::?\S+)\/64/.exec(child.inPod("ip", "addr", "show", "net1")) ?? [];
    addresses.push(address);
    await eventually("the claim tells the address", () => told(child).includes(`"ips":["${address}/64"]`));
    expect(told(child)).toContain('"reason":"AddressReady"');
  }
  expect(new Set(addresses).size).toBe(2);
  await answers(both[1], addresses[0] ?? "");
  expect(
    await refusal(lab.node.kubelet.prepare(claimOf(ifname, {}, { interface: { ...slaac, addrGenMode: 0 } }))),
  ).toContain("interface.addrGenMode: cannot be 0 with SLAAC on IPVLAN, whose links share one hardware address");
  for (const child of both) await end(child);
  await expectHostState(ifname, before);
  expect(childrenOnHost(ifname)).toBe(0);
});
