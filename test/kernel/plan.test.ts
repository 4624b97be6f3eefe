/** A plan in a real namespace: what is configured, and what a link brings along, seen with iproute2. */

import { expect, test } from "bun:test";
import { needsHostRules, planAttach } from "../../src/attach/plan.ts";
import { parseNetworkConfig } from "../../src/config/network-config.ts";
import type { KernelCalls } from "../../src/kernel/calls.ts";
import { kernelCalls } from "../../src/kernel/serve.ts";
import { HeldTestNetns } from "../lab/held-netns.ts";
import { eventually } from "../lab/netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

/** A host with a veth `v0` whose other end answers, and a pod without links. */
class Lab implements Disposable {
  readonly calls: KernelCalls & Disposable = kernelCalls();
  readonly host = new HeldTestNetns(this.calls, "nfh");
  readonly pod = new HeldTestNetns(this.calls, "nfp");

  constructor() {
    this.host.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
    this.host.ip("link", "set", "v1", "up");
    this.host.ip("link", "set", "v0", "up");
    this.pod.ip("link", "set", "lo", "up");
  }

  /** As the agent does it: plan from a snapshot, move, configure; once more, to see that nothing changes. */
  async attach(config: object): Promise<readonly string[]> {
    await eventually(
      "v0 has no tentative address",
      () => !this.host.ip("addr", "show", "dev", "v0").includes("tentative"),
    );
    const parsed = parseNetworkConfig(config, "test");
    const snapshot = this.calls.snapshotLink({ netns: this.host.ref, ifindex: this.host.ifindexOf("v0") });
    const rules = needsHostRules(parsed, snapshot) ? this.calls.listRules({ netns: this.host.ref }) : [];
    const plan = planAttach(parsed, snapshot, rules);
    const { ifindex } = this.calls.moveLink({
      from: this.host.ref,
      ifindex: snapshot.link.ifindex,
      to: this.pod.ref,
      temporaryName: "nf-tmp0",
    });
    const wasIfindex = snapshot.link.ifindex;
    for (const _ of [1, 2])
      this.calls.applySteps({ netns: this.pod.ref, ifindex, wasIfindex, steps: plan.steps, onFailure: "stop" });
    return plan.leftOut ?? [];
  }

  [Symbol.dispose](): void {
    this.host[Symbol.dispose]();
    this.pod[Symbol.dispose]();
    this.calls[Symbol.dispose]();
  }
}

test("planAttach() sets what the configuration says of the link", async () => {
  using lab = new Lab();
  await lab.attach({
    interface: {
      name: "net1",
      addresses: ["10.1.0.2/24", "fd01::2/64"],
      mtu: 1400,
      hardwareAddr: "02:00:00:00:00:77",
      gsoMaxSize: 150_000,
      groMaxSize: 140_000,
      gsoIPv4MaxSize: 130_000,
      groIPv4MaxSize: 120_000,
      forwarding: true,
      arpIgnore: 8,
      arpAnnounce: 2,
      acceptRA: 2,
      dadTransmits: 0,
      routerSolicitationDelay: 3,
      routerSolicitationInterval: 5,
      addrGenMode: 1,
    },
  });
  const [link] = lab.pod.json("link", "show", "dev", "net1");
  expect(link).toMatchObject({
    mtu: 1400,
    address: "02:00:00:00:00:77",
    gso_max_size: 150_000,
    gro_max_size: 140_000,
  });
  // iproute2 before 6.3 does not tell these two.
  const own = lab.calls.listLinks({ netns: lab.pod.ref }).find(({ ifname }) => ifname === "net1");
  expect(own).toMatchObject({ gsoIpv4MaxSize: 130_000, groIpv4MaxSize: 120_000 });
  expect(link.flags).toContain("UP");
  const sysctls: readonly (readonly [path: string, value: string])[] = [
    ["ipv4/conf/net1/forwarding", "1"],
    ["ipv6/conf/net1/forwarding", "1"],
    ["ipv4/conf/net1/arp_ignore", "8"],
    ["ipv4/conf/net1/arp_announce", "2"],
    ["ipv6/conf/net1/accept_ra", "2"],
    ["ipv6/conf/net1/dad_transmits", "0"],
    ["ipv6/conf/net1/router_solicitation_delay", "3"],
    ["ipv6/conf/net1/router_solicitation_interval", "5"],
    ["ipv6/conf/net1/addr_gen_mode", "1"],
  ];
  for (const [path, value] of sysctls) expect([path, lab.pod.sysctl(`net/${path}`)]).toEqual([path, value]);
  // Mode 1 makes no link-local address.
  expect(
    lab.pod.json("-6", "addr", "show", "dev", "net1")[0].addr_info.map((at: { local: string }) => at.local),
  ).toEqual(["fd01::2"]);
});

test("planAttach() gives the pod a route that prefers an IPv6 address of the claim", async () => {
  using lab = new Lab();
  await lab.attach({
    interface: { name: "net1", addresses: ["fd00::9/64", "fd01::9/64"] },
    routes: [{ destination: "fd11::/64", gateway: "fd00::1", source: "fd00::9" }],
  });
  expect(lab.pod.ip("-6", "route", "show", "fd11::/64")).toContain("via fd00::1 dev net1 proto static src fd00::9");
  expect(lab.pod.ip("addr", "show", "dev", "net1", "to", "fd00::9")).not.toContain("nodad");
});

test("planAttach() turns IPv6 off before the link comes up, and leaves its addresses behind", async () => {
  using lab = new Lab();
  lab.host.ip("addr", "add", "10.0.0.1/24", "dev", "v0");
  lab.host.ip("addr", "add", "fd00::1/64", "dev", "v0", "nodad");
  lab.host.ip("-6", "route", "add", "fd09::/64", "via", "fd00::2");
  await lab.attach({ interface: { disableIPv6: true, acceptRA: 0 } });
  expect(lab.pod.ip("-6", "addr", "show", "dev", "v0")).toBe("");
  expect(lab.pod.ip("-4", "addr", "show", "dev", "v0")).toContain("10.0.0.1/24");
});

test("planAttach() forwards by the link as it was told, IPv6 too where the kernel can", async () => {
  using lab = new Lab();
  await lab.attach({ interface: { addresses: ["10.1.0.2/24", "fd01::2/64"], forwarding: true, dadTransmits: 0 } });
  lab.host.ip("addr", "add", "10.1.0.1/24", "dev", "v1");
  lab.host.ip("addr", "add", "fd01::1/64", "dev", "v1", "nodad");
  // Behind the pod, a third namespace that only the pod can reach.
  using behind = new HeldTestNetns(lab.calls, "nfb");
  lab.pod.ip("link", "add", "w0", "type", "veth", "peer", "name", "w1", "netns", behind.name);
  lab.pod.ip("addr", "add", "10.2.0.1/24", "dev", "w0");
  lab.pod.ip("addr", "add", "fd02::1/64", "dev", "w0", "nodad");
  lab.pod.ip("link", "set", "w0", "up");
  behind.ip("addr", "add", "10.2.0.2/24", "dev", "w1");
  behind.ip("addr", "add", "fd02::2/64", "dev", "w1", "nodad");
  behind.ip("link", "set", "w1", "up");
  behind.ip("route", "add", "default", "via", "10.2.0.1");
  behind.ip("-6", "route", "add", "default", "via", "fd02::1");
  lab.host.ip("route", "add", "10.2.0.0/24", "via", "10.1.0.2");
  lab.host.ip("-6", "route", "add", "fd02::/64", "via", "fd01::2");
  // The way back comes in by the other link, which is not ours.
  lab.pod.exec("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/w0/forwarding");
  await eventually("IPv4 is forwarded", () => lab.host.exec("ping", "-c", "1", "-W", "1", "10.2.0.2"));
  // Before Linux 6.17 a single link cannot forward IPv6.
  const force = "/proc/sys/net/ipv6/conf/w0/force_forwarding";
  if (
    lab.pod.exec("sh", "-c", `test -e ${force} && echo 1 > ${force} && echo there || echo absent`).trim() === "absent"
  )
    return;
  await eventually("IPv6 is forwarded", () => lab.host.exec("ping", "-6", "-c", "1", "-W", "1", "fd02::2"));
});

const ROUTES = [
  "10.10.0.0/16 via 10.0.0.2",
  "10.11.0.0/16 via 10.0.0.2 dev v0 proto 186 metric 7 mtu lock 1400 advmss 1300 src 10.0.0.1",
  "10.12.0.0/16 via 172.16.9.1 dev v0 onlink",
  "10.13.0.0/16 dev v0 scope link",
  "10.14.0.0/16 via 10.13.0.9 dev v0 table 100",
  "10.15.0.0/16 table 100 nexthop via 10.0.0.2 dev v0 weight 3 nexthop via 10.0.0.3 dev v0 weight 5",
  "default via 10.0.0.2 metric 50",
  "-6 fd10::/64 via fd00::2 dev v0 metric 7 mtu 1300",
  "-6 fd11::/64 table 500 nexthop via fd00::2 dev v0 weight 2 nexthop via fd00::3 dev v0",
  "-6 default via fe80::1 dev v0 metric 50",
];
const RULES = [
  "from 10.0.0.0/24 fwmark 5/0xff lookup 100 prio 77",
  "iif v0 to 10.14.0.0/16 lookup 100 prio 78 suppress_prefixlength 8",
  "ipproto tcp sport 100-200 dport 80 lookup 100 prio 79 protocol 44",
  "uidrange 100-200 oif lo tos 0x10 lookup 100 prio 80",
  "-6 not from fd00::/64 lookup 500 prio 81",
];

test("planAttach() takes along routes, rules and neighbours whole, of both families", async () => {
  using lab = new Lab();
  const { host, pod } = lab;
  host.ip("addr", "add", "10.0.0.1/24", "dev", "v0");
  host.ip("addr", "add", "fd00::1/64", "dev", "v0", "nodad");
  for (const route of ROUTES) {
    const [family = "", ...rest] = route.startsWith("-6") ? route.split(" ") : ["-4", ...route.split(" ")];
    host.ip(family, "route", "add", ...rest);
  }
  for (const rule of RULES) {
    const [family = "", ...rest] = rule.startsWith("-6") ? rule.split(" ") : ["-4", ...rule.split(" ")];
    host.ip(family, "rule", "add", ...rest);
  }
  host.ip("neigh", "add", "10.0.0.9", "lladdr", "02:00:00:00:00:09", "dev", "v0", "nud", "permanent");
  host.ip("neigh", "add", "fd00::9", "lladdr", "02:00:00:00:00:0a", "dev", "v0", "nud", "permanent");
  const before = { routes: routesOf(host, "v0"), rules: rulesOf(host) };
  expect(before.routes.length).toBe(ROUTES.length + 2);
  // These are for others than v0, or for addresses that do not go with it.
  host.ip("addr", "add", "10.7.0.5/24", "dev", "v0", "valid_lft", "600", "preferred_lft", "600");
  host.ip("route", "add", "10.70.0.0/16", "via", "10.7.0.1", "dev", "v0");
  host.ip("addr", "add", "10.8.0.1/24", "dev", "v1");
  host.ip("route", "add", "10.80.0.0/16", "via", "10.8.0.2", "table", "100");
  host.ip("route", "add", "10.81.0.0/16", "nexthop", "via", "10.0.0.2", "nexthop", "via", "10.8.0.2");
  host.ip("rule", "add", "iif", "v1", "lookup", "100", "prio", "90");
  host.ip("rule", "add", "from", "10.8.0.0/24", "lookup", "333", "prio", "91");

  const leftOut = await lab.attach({ interface: { name: "net1" } });
  expect(leftOut).toEqual([expect.stringContaining("10.70.0.0/16")]);
  const ofOneHop = "10.81.0.0/16 via 10.0.0.2 dev v0 ";
  expect(routesOf(pod, "net1")).toEqual([...before.routes, ofOneHop].sort());
  expect(rulesOf(pod)).toEqual(before.rules);
  const neighbors = pod
    .ip("neigh", "show", "nud", "permanent", "dev", "net1")
    .split("\n")
    .map((line) => line.trim());
  expect(neighbors.filter(Boolean).sort()).toEqual([
    "10.0.0.9 lladdr 02:00:00:00:00:09 PERMANENT",
    "fd00::9 lladdr 02:00:00:00:00:0a PERMANENT",
  ]);
});

test("planAttach() takes along the route that somebody wrote for an address without one", async () => {
  using lab = new Lab();
  lab.host.ip("addr", "add", "10.0.0.1/24", "dev", "v0", "noprefixroute");
  lab.host.ip(
    "route",
    "add",
    "10.0.0.0/24",
    "dev",
    "v0",
    "proto",
    "kernel",
    "scope",
    "link",
    "src",
    "10.0.0.1",
    "metric",
    "100",
  );
  lab.host.ip("route", "add", "default", "via", "10.0.0.254", "dev", "v0", "metric", "100");
  const before = routesOf(lab.host, "v0");
  expect(await lab.attach({})).toEqual([]);
  expect(routesOf(lab.pod, "v0")).toEqual(before);
});

/** Routes of all tables but local as iproute2 tells them, without those that the kernel makes for any link. */
function routesOf(netns: HeldTestNetns, ifname: string): string[] {
  const text = ["-4", "-6"].map((family) => netns.ip(family, "-o", "route", "show", "table", "all")).join("");
  return text
    .split("\n")
    .filter((line) => line.includes(` dev ${ifname} `) && !/table local|^fe80::|^multicast/.test(line))
    .map((line) => line.replaceAll(` dev ${ifname} `, " dev v0 ").replace(/ +pref medium/, ""))
    .sort();
}

/** Rules that no namespace has from its birth, the link's name left out. */
function rulesOf(netns: HeldTestNetns): string[] {
  const text = ["-4", "-6"].map((family) => netns.ip(family, "-d", "rule", "show")).join("");
  return text
    .split("\n")
    .filter((line) => !/^(0|32766|32767):|^$/.test(line))
    .map((line) => line.replace(/iif (v0|net1)/, "iif LINK").replace(" [detached]", ""));
}
