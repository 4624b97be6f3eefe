/** Addresses, routes, rules and neighbours against iproute2: what it made we read, what we make it reads. */

import { expect, test } from "bun:test";
import { inNetns } from "../../ffi/netns.ts";
import type { KernelCalls, NamespaceState } from "../../src/kernel/calls.ts";
import { kernelCalls } from "../../src/kernel/serve.ts";
import type { LinkStep } from "../../src/kernel/steps.ts";
import { listRoutes } from "../../src/netlink/routes.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { HeldTestNetns } from "../lab/held-netns.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

const ROUTES = [
  "10.10.0.0/16 via 10.0.0.2",
  "10.11.0.0/16 via 10.0.0.2 metric 7 mtu lock 1400 advmss 1300 initcwnd 20 congctl reno quickack 1 src 10.0.0.1",
  "10.12.0.0/16 via inet6 fd00::2 dev v0",
  "10.13.0.0/16 encap ip id 5 dst 10.0.0.5 dev v0",
  "10.14.0.0/16 via 172.16.0.1 dev v0 onlink",
  "10.15.0.0/16 via 10.0.0.2 realms 3/4",
  "10.16.0.0/16 tos 0x10 via 10.0.0.2 proto 77",
  "10.17.0.0/16 table 100000 dev v0 scope link src 10.0.0.1",
  "10.18.0.0/16 table 100 nexthop via 10.0.0.2 dev v0 weight 3 nexthop via 10.1.0.2 dev v1 weight 256",
  "10.18.0.0/16 table 100 metric 9 nexthop via 172.16.0.1 dev v0 onlink nexthop via inet6 fd01::2 dev v1",
  "blackhole 10.19.0.0/16 table 100",
  "unreachable 10.19.0.0/16 table 100 metric 5",
  "prohibit 10.20.0.0/16",
  "throw 10.21.0.0/16 table 100",
  "local 10.22.0.0/16 dev v0",
  "default via 10.0.0.2 metric 50",
  "fd10::/64 via fd00::2 pref high metric 7 mtu 1300",
  "fd11::/64 table 500 nexthop via fd00::2 weight 2 nexthop via fd01::2",
  "blackhole fd12::/64",
  "fd13::/64 from fd00::/64 via fd00::2",
  "fd14::/64 encap seg6 mode encap segs fd00::7 dev v0",
  "fd15::/64 via fd00::2 expires 600",
  "default via fd00::2 metric 50",
];

/** Two links that are up, with two addresses each. */
function withLinks(calls: KernelCalls): HeldTestNetns {
  const netns = new HeldTestNetns(calls);
  netns.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
  for (const [at, link] of ["v0", "v1"].entries()) {
    netns.ip("link", "set", link, "up");
    netns.ip("addr", "add", `10.${at}.0.1/24`, "dev", link);
    netns.ip("addr", "add", `fd0${at}::1/64`, "dev", link, "nodad");
  }
  return netns;
}

/** As a person reads it, without the seconds that pass and the link-local routes, which come when DAD is done. */
function routesText(netns: HeldTestNetns): string[] {
  const text = ["-4", "-6"].map((family) => netns.ip(family, "-d", "route", "show", "table", "all")).join("");
  return text
    .split("\n")
    .filter((line) => !line.startsWith("local fe80:"))
    .map((line) => line.replace(/expires \d+sec/, "expires").trimEnd())
    .sort();
}

function steps(calls: KernelCalls, netns: HeldTestNetns, ifname: string, ...list: LinkStep[]): void {
  const { failed } = calls.applySteps({
    netns: netns.ref,
    ifindex: netns.ifindexOf(ifname),
    steps: list,
    onFailure: "stop",
  });
  expect(failed).toEqual([]);
}

function own({ routes }: NamespaceState): NamespaceState["routes"] {
  return routes.filter(({ protocol }) => protocol !== 2);
}

test("addRoute brings back every route that iproute2 made, to the letter, and again changes nothing", () => {
  using calls = kernelCalls();
  using netns = withLinks(calls);
  for (const route of ROUTES)
    netns.ip(
      ...(route.includes("fd1") || (route.includes("via fd00") && route.startsWith("default")) ? ["-6"] : []),
      "route",
      "add",
      ...route.split(" "),
    );
  const before = routesText(netns);
  const routes = own(calls.readNamespace({ netns: netns.ref }));
  expect(routes.length).toBe(ROUTES.length);

  steps(calls, netns, "v0", ...routes.map((route): LinkStep => ({ op: "removeRoute", route })));
  expect(routesText(netns).length).toBe(before.length - countLines(ROUTES));
  steps(calls, netns, "v0", ...routes.map((route): LinkStep => ({ op: "removeRoute", route })));

  const add = routes.map((route): LinkStep => ({ op: "addRoute", route }));
  steps(calls, netns, "v0", ...add);
  expect(routesText(netns)).toEqual(before);
  steps(calls, netns, "v0", ...add);
  expect(routesText(netns)).toEqual(before);
});

/** iproute2 shows each hop of a multipath route on a line of its own. */
function countLines(routes: readonly string[]): number {
  return routes.reduce((lines, route) => lines + 1 + (route.match(/nexthop/g)?.length ?? 0), 0);
}

test("listRoutes() of default routes tells those that lead somewhere, of both families and all tables", () => {
  using calls = kernelCalls();
  using netns = withLinks(calls);
  for (const route of [
    "-4 default via 10.0.0.2",
    "-4 default via 10.1.0.2 table 100",
    "-6 default via fd00::2",
    "-4 local default dev v0 table 101",
    "-4 blackhole default table 102",
    "-4 10.99.0.0/16 via 10.0.0.2",
  ]) {
    const [family = "", ...rest] = route.split(" ");
    netns.ip(family, "route", "add", ...rest);
  }
  const found = inNetns(netns.ref.fd, () => {
    using socket = new NetlinkSocket();
    return listRoutes(socket, { onlyDefault: true });
  });
  expect(found.map(({ destination, table, gateway }) => `${destination} ${table} ${gateway}`).sort()).toEqual([
    "0.0.0.0/0 100 10.1.0.2",
    "0.0.0.0/0 254 10.0.0.2",
    "::/0 254 fd00::2",
  ]);
});

test("addRoute refuses to take another route's place", () => {
  using calls = kernelCalls();
  using netns = withLinks(calls);
  netns.ip("route", "add", "10.10.0.0/16", "via", "10.0.0.2");
  const [route] = own(calls.readNamespace({ netns: netns.ref }));
  if (route === undefined) throw new Error("iproute2's route was not listed");
  const elsewhere: LinkStep = { op: "addRoute", route: { ...route, gateway: "10.0.0.3" } };
  expect(() => steps(calls, netns, "v0", elsewhere)).toThrow("EEXIST");
  expect(routesText(netns).filter((line) => line.includes("10.10.0.0/16"))).toEqual([
    expect.stringContaining("via 10.0.0.2 dev v0"),
  ]);
});

test("addRoute puts a route without a link on the link, and maps the index that the link had", () => {
  using calls = kernelCalls();
  using netns = withLinks(calls);
  const base = { table: 254, protocol: 4, scope: 0, type: 1, tos: 0, flags: 0, attributes: [] } as const;
  const hop = { flags: 0, weight: 1, attributes: [] };
  calls.applySteps({
    netns: netns.ref,
    ifindex: netns.ifindexOf("v0"),
    wasIfindex: 4711,
    onFailure: "stop",
    steps: [
      { op: "addRoute", route: { ...base, family: "ipv4", destination: "10.10.0.0/16", gateway: "10.0.0.2" } },
      {
        op: "addRoute",
        route: { ...base, family: "ipv4", destination: "10.11.0.0/16", ifindex: 4711, gateway: "10.0.0.2" },
      },
      {
        op: "addRoute",
        route: {
          ...base,
          family: "ipv4",
          destination: "10.12.0.0/16",
          nextHops: [
            { ...hop, ifindex: 4711, gateway: "10.0.0.2" },
            { ...hop, ifindex: netns.ifindexOf("v1"), gateway: "10.1.0.2" },
          ],
        },
      },
      { op: "addRoute", route: { ...base, family: "ipv6", destination: "::/0", gateway: "fd00::2" } },
    ],
  });
  const devices = (dst: string, family = "-4") =>
    netns.json(family, "route", "show", dst).map((row) => row.dev ?? row.nexthops.map((n: { dev: string }) => n.dev));
  expect(devices("10.10.0.0/16")).toEqual(["v0"]);
  expect(devices("10.11.0.0/16")).toEqual(["v0"]);
  expect(devices("10.12.0.0/16")).toEqual([["v0", "v1"]]);
  expect(devices("default", "-6")).toEqual(["v0"]);
});

test("addAddress makes what iproute2 made before, lifetimes and metric too, and again changes nothing", () => {
  using calls = kernelCalls();
  using netns = withLinks(calls);
  netns.ip("addr", "add", "10.5.0.1/24", "brd", "10.5.0.255", "dev", "v0", "label", "v0:x");
  netns.ip("addr", "add", "10.5.0.2/24", "dev", "v0", "noprefixroute");
  netns.ip("addr", "add", "10.6.0.1", "peer", "10.6.0.9/32", "dev", "v0", "scope", "link", "metric", "77");
  netns.ip("addr", "add", "10.7.0.1/24", "dev", "v0", "valid_lft", "5000", "preferred_lft", "4000");
  netns.ip("addr", "add", "fd05::1/64", "dev", "v0", "nodad", "noprefixroute");
  netns.ip("addr", "add", "fd06::1/128", "peer", "fd06::9/128", "dev", "v0", "nodad");
  netns.ip("addr", "add", "fd07::1/64", "dev", "v0", "nodad", "valid_lft", "5000", "preferred_lft", "0");
  netns.ip("addr", "add", "fd08::1/64", "dev", "v0", "nodad", "metric", "88", "home", "mngtmpaddr");

  const before = addressesText(netns);
  const all = calls.readNamespace({ netns: netns.ref }).addresses;
  const addresses = all.filter(({ ifindex, protocol }) => ifindex === netns.ifindexOf("v0") && protocol !== 3);
  expect(addresses.length).toBe(before.length - 1); // all but the link-local one
  steps(calls, netns, "v0", ...addresses.map((address): LinkStep => ({ op: "removeAddress", address })));
  steps(calls, netns, "v0", ...addresses.map((address): LinkStep => ({ op: "removeAddress", address })));
  expect(addressesText(netns).length).toBe(1);
  const add = addresses.map((address): LinkStep => ({ op: "addAddress", address }));
  steps(calls, netns, "v0", ...add);
  expect(addressesText(netns)).toEqual(before);
  steps(calls, netns, "v0", ...add);
  expect(addressesText(netns)).toEqual(before);
});

/** Every address with all that iproute2 knows of it; seconds that pass are rounded. */
function addressesText(netns: HeldTestNetns): string[] {
  const [link] = netns.json("addr", "show", "dev", "v0");
  const round = (key: string, value: unknown) =>
    key.endsWith("_life_time") && typeof value === "number" && value < 10_000 ? Math.round(value / 100) : value;
  return link.addr_info.map((address: object) => JSON.stringify(address, round)).sort();
}

test("addRule makes what iproute2 made before, and again changes nothing", () => {
  using calls = kernelCalls();
  using netns = withLinks(calls);
  const rules = [
    "from 10.1.0.0/16 fwmark 5/0xff lookup 1000 prio 77",
    "to 10.2.0.0/16 iif v0 lookup 100 prio 78 suppress_prefixlength 8",
    "not from 10.3.0.0/16 oif v1 blackhole prio 79",
    "ipproto tcp sport 100-200 dport 80 lookup main prio 80 protocol 44",
    "uidrange 100-200 tos 0x10 lookup 300 prio 81",
    "from all goto 32766 prio 82",
  ];
  for (const rule of rules) netns.ip("rule", "add", ...rule.split(" "));
  netns.ip("-6", "rule", "add", "from", "fd00::/64", "lookup", "500", "prio", "90");
  const text = () => ["-4", "-6"].map((family) => netns.ip(family, "-d", "rule", "show"));
  const before = text();
  const own = calls.readNamespace({ netns: netns.ref }).rules.filter(({ priority }) => priority > 0 && priority < 1000);
  expect(own.length).toBe(rules.length + 1);
  const remove = own.map((rule): LinkStep => ({ op: "removeRule", rule }));
  steps(calls, netns, "v0", ...remove, ...remove);
  expect(text()).not.toEqual(before);
  const add = own.map((rule): LinkStep => ({ op: "addRule", rule }));
  steps(calls, netns, "v0", ...add, ...add);
  expect(text()).toEqual(before);
});

test("addNeighbor makes what iproute2 made before, and again changes nothing", () => {
  using calls = kernelCalls();
  using netns = withLinks(calls);
  netns.ip("neigh", "add", "10.0.0.9", "lladdr", "02:00:00:00:00:09", "dev", "v0", "nud", "permanent");
  netns.ip("neigh", "add", "10.0.0.10", "lladdr", "02:00:00:00:00:0a", "dev", "v0", "nud", "noarp");
  netns.ip("neigh", "add", "fd00::9", "lladdr", "02:00:00:00:00:09", "dev", "v0", "nud", "permanent", "router");
  netns.ip("neigh", "add", "proxy", "10.0.0.77", "dev", "v0");
  netns.ip("neigh", "add", "proxy", "fd00::77", "dev", "v0");
  const text = () =>
    ["", "proxy"].map((which) =>
      netns
        .ip("neigh", "show", ...which.split(" ").filter(Boolean), "nud", "all", "dev", "v0")
        .split("\n")
        .filter((line) => !line.startsWith("ff02"))
        .sort(),
    );
  const before = text();
  const neighbors = calls.snapshotLink({ netns: netns.ref, ifindex: netns.ifindexOf("v0") }).neighbors;
  expect(neighbors.length).toBe(5);
  const remove = neighbors.map((neighbor): LinkStep => ({ op: "removeNeighbor", neighbor }));
  steps(calls, netns, "v0", ...remove);
  expect(text()).not.toEqual(before);
  const add = neighbors.map((neighbor): LinkStep => ({ op: "addNeighbor", neighbor }));
  steps(calls, netns, "v0", ...add, ...add);
  expect(text()).toEqual(before);
});
