/**
 * Runs in an emulated machine. Children of every kind and mode, and VRFs, from a configuration to what iproute2 sees of
 * them in a namespace, without an agent.
 */

import { expect, test } from "bun:test";
import { planAttach } from "../../../src/attach/plan.ts";
import { readClassConfig } from "../../../src/config/network-config.ts";
import { kernelCalls } from "../../../src/kernel/serve.ts";
import { HeldTestNetns } from "../../lab/held-netns.ts";
import { eventually } from "../../lab/netns.ts";
import { failOnLeaks } from "../../leaks.ts";

failOnLeaks();

class Lab implements Disposable {
  readonly calls = kernelCalls();
  readonly host = new HeldTestNetns(this.calls, "nfh");
  readonly pods: HeldTestNetns[] = [];

  constructor() {
    this.host.ip("link", "add", "d0", "mtu", "1400", "type", "dummy");
    this.host.ip("addr", "add", "10.1.0.1/24", "dev", "d0");
    this.host.ip("link", "set", "d0", "up");
  }

  /** Gives the namespace what the configuration says of the link: a child, or else itself. Does the steps twice. */
  attach(config: object, pod = this.pod(), ifname = "d0"): HeldTestNetns {
    const read = readClassConfig(config);
    if ("problems" in read) throw new Error(JSON.stringify(read.problems));
    const snapshot = this.calls.snapshotLink({ netns: this.host.ref, ifindex: this.host.ifindexOf(ifname) });
    const { child, steps } = planAttach(read.config, snapshot);
    const lower = snapshot.link.ifindex;
    const { ifindex } =
      child === undefined
        ? this.calls.moveLink({ from: this.host.ref, ifindex: lower, to: pod.ref, temporaryName: "nftmp" })
        : this.calls.createLink({ netns: this.host.ref, into: pod.ref, link: { ifname: "nftmp", ...child, lower } });
    for (const _ of [1, 2]) this.calls.applySteps({ netns: pod.ref, ifindex, steps, onFailure: "stop" });
    return pod;
  }

  pod(): HeldTestNetns {
    const pod = new HeldTestNetns(this.calls, "nfp");
    this.pods.push(pod);
    return pod;
  }

  [Symbol.dispose](): void {
    for (const pod of this.pods) pod[Symbol.dispose]();
    this.host[Symbol.dispose]();
    this.calls[Symbol.dispose]();
  }
}

const CHILDREN: readonly (readonly [link: object, data: object])[] = [
  [{ type: "IPVLAN" }, { info_kind: "ipvlan", info_data: { mode: "l2", bridge: true } }],
  [
    { type: "IPVLAN", ipvlan: { mode: "l3" } },
    { info_kind: "ipvlan", info_data: { mode: "l3" } },
  ],
  [
    { type: "IPVLAN", ipvlan: { mode: "l3s" } },
    { info_kind: "ipvlan", info_data: { mode: "l3s" } },
  ],
  [{ type: "MACVLAN" }, { info_kind: "macvlan", info_data: { mode: "bridge" } }],
  [
    { type: "MACVLAN", macvlan: { mode: "private" } },
    { info_kind: "macvlan", info_data: { mode: "private" } },
  ],
  [
    { type: "MACVLAN", macvlan: { mode: "vepa" } },
    { info_kind: "macvlan", info_data: { mode: "vepa" } },
  ],
  [
    { type: "VLAN", vlan: { id: 5 } },
    { info_kind: "vlan", info_data: { protocol: "802.1Q", id: 5 } },
  ],
  [
    { type: "VLAN", vlan: { id: 4094, protocol: "802.1ad" } },
    { info_kind: "vlan", info_data: { protocol: "802.1ad", id: 4094 } },
  ],
];

test.each(CHILDREN)("%j is made in the namespace, and the link stays", (link, linkinfo) => {
  using lab = new Lab();
  const pod = lab.attach({ interface: { name: "net1", addresses: ["10.1.0.2/24"], ...link } });
  const [made] = pod.json("addr", "show", "dev", "net1");
  expect(made).toMatchObject({ mtu: 1400, linkinfo, addr_info: [{ local: "10.1.0.2" }, {}] });
  expect(made.flags).toContain("UP");
  expect(lab.host.json("link", "show").map(({ ifname }) => ifname)).toEqual(["lo", "d0"]);
  expect(lab.host.ip("addr", "show", "dev", "d0")).toContain("10.1.0.1/24");
});

test("ipvlans of two namespaces share the link's address and reach each other", () => {
  using lab = new Lab();
  const link = (address: string) => ({
    interface: { type: "IPVLAN", name: "net1", addresses: [address], mtu: 1300, gsoMaxSize: 9000, arpAnnounce: 2 },
  });
  const [one, two] = [lab.attach(link("10.1.0.2/24")), lab.attach(link("10.1.0.3/24"))];
  const [made] = one.json("link", "show", "dev", "net1");
  expect(made).toMatchObject({
    mtu: 1300,
    gso_max_size: 9000,
    address: lab.host.json("link", "show", "dev", "d0")[0].address,
  });
  expect(one.sysctl("net/ipv4/conf/net1/arp_announce")).toBe("2");
  expect(two.exec("ping", "-c", "1", "-W", "5", "10.1.0.2")).toContain(" 0% packet loss");
});

test("a link takes addresses and routes of both families into a VRF, which a second link joins", () => {
  using lab = new Lab();
  lab.host.ip("addr", "add", "fd01::5/64", "dev", "d0", "nodad");
  lab.host.ip("route", "add", "10.2.0.0/16", "via", "10.1.0.9", "dev", "d0", "metric", "7");
  lab.host.ip("-6", "route", "add", "fd02::/64", "via", "fd01::9", "dev", "d0", "table", "77");
  const vrf = { name: "blue", table: 4711 };
  const pod = lab.attach({
    interface: { vrf, forwarding: true },
    routes: [{ destination: "10.3.0.0/16", scope: 253, table: 9 }],
  });
  expect(pod.json("link", "show", "dev", "blue")).toMatchObject([
    { linkinfo: { info_kind: "vrf", info_data: { table: 4711 } } },
  ]);
  expect(pod.json("link", "show", "dev", "blue")[0].flags).toContain("UP");
  expect(pod.json("link", "show", "dev", "d0")[0].master).toBe("blue");
  const routes = (family: string, table: string) =>
    pod.json(family, "route", "show", "table", table).map(({ dst }) => dst);
  expect(routes("-4", "4711")).toEqual(expect.arrayContaining(["10.1.0.0/24", "10.2.0.0/16", "10.3.0.0/16"]));
  expect(routes("-6", "4711")).toEqual(expect.arrayContaining(["fd01::/64", "fd02::/64"]));
  expect(pod.ip("route", "show", "table", "main")).toBe("");
  for (const key of ["tcp_l3mdev_accept", "udp_l3mdev_accept", "conf/blue/forwarding", "conf/d0/forwarding"])
    expect([key, pod.sysctl(`net/ipv4/${key}`)]).toEqual([key, "1"]);
  lab.host.ip("link", "add", "d0", "type", "dummy");
  lab.host.ip("link", "set", "d0", "up");
  lab.attach({ interface: { name: "net2", type: "MACVLAN", vrf } }, pod);
  expect(pod.json("link", "show", "dev", "net2")[0].master).toBe("blue");
});

test("two namespaces reach each other by the VRF of a third, which forwards by nothing else", async () => {
  using lab = new Lab();
  for (const n of [1, 2]) {
    lab.host.ip("link", "add", `pod${n}`, "type", "veth", "peer", "name", `rtr${n}`);
    for (const end of ["pod", "rtr"]) lab.host.ip("link", "set", `${end}${n}`, "up");
  }
  const vrf = { name: "test-vrf" };
  const [router, one, two] = [lab.pod(), lab.pod(), lab.pod()];
  for (const pod of [router, one, two]) pod.exec("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward");
  for (const [n, pod] of [one, two].entries()) {
    const network = `10.10.${n + 1}`;
    const end = { interface: { name: "eth1", addresses: [`${network}.1/24`], vrf } };
    lab.attach({ ...end, routes: [{ destination: "0.0.0.0/0", gateway: `${network}.2` }] }, pod, `pod${n + 1}`);
    const side = { name: `eth${n + 1}`, addresses: [`${network}.2/24`], forwarding: true, vrf };
    lab.attach({ interface: side }, router, `rtr${n + 1}`);
  }
  await eventually("the other side answers", () =>
    one.exec("ping", "-c", "1", "-W", "5", "-I", "test-vrf", "10.10.2.1"),
  );
  expect(router.sysctl("net/ipv4/ip_forward")).toBe("0");
  // Who does not ask by the VRF does not get there.
  expect(() => one.exec("ping", "-c", "1", "-W", "1", "10.10.2.1")).toThrow("unreachable");
});

test("a VRF is not made of another link, nor of a VRF with another table", () => {
  using lab = new Lab();
  const pod = lab.pod();
  pod.ip("link", "add", "red", "type", "vrf", "table", "5");
  pod.ip("link", "add", "blue", "type", "dummy");
  const child = { type: "MACVLAN", name: "net1" };
  expect(() => lab.attach({ interface: { ...child, vrf: { name: "blue" } } }, pod)).toThrow(
    "blue is to be a VRF, but the pod has another link of that name (dummy): give interface.vrf another name",
  );
  pod.ip("link", "del", "net1");
  expect(() => lab.attach({ interface: { ...child, vrf: { name: "red", table: 9 } } }, pod)).toThrow(
    "VRF red is there already, with another routing table than 9",
  );
});
