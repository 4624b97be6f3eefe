import { expect, test } from "bun:test";
import { aRoute } from "../../test/fakes/facts.ts";
import { link, snapshot } from "../claims/testing.ts";
import { parseNetworkConfig } from "../config/network-config.ts";
import type { Address } from "../netlink/address.ts";
import type { Rule } from "../netlink/rule.ts";
import { checkNames, needsHostRules, planAttach } from "./plan.ts";

const config = (value: unknown) => parseNetworkConfig(value, "test");
const address = (local: string, over: Partial<Address> = {}): Address => ({
  ifindex: 7,
  family: "ipv4",
  local,
  prefixLength: 24,
  scope: 0,
  flags: 0x80,
  label: "eth1",
  ...over,
});

test("planAttach() orders hardware, name, addresses, up, routes, rules, neighbours", () => {
  const plan = planAttach(
    config({
      interface: {
        name: "net1",
        addresses: ["10.1.0.2/24", "fd00::2/64"],
        mtu: 1400,
        hardwareAddr: "02:00:00:00:00:09",
      },
      routes: [
        { destination: "0.0.0.0/0", gateway: "10.1.0.1", table: 100 },
        { destination: "10.9.0.0/16", scope: 253 },
      ],
      rules: [{ source: "10.1.0.0/24", table: 100, priority: 50 }],
      neighbors: [{ destination: "10.1.0.1", hardwareAddr: "02:00:00:00:00:01" }],
    }),
    snapshot(),
  );
  expect(plan.ifname).toBe("net1");
  expect(plan.steps.map((step) => step.op)).toEqual([
    "setAddress",
    "setMtu",
    "rename",
    "addAddress",
    "addAddress",
    "up",
    "addRoute",
    "addRoute",
    "addRule",
    "addNeighbor",
  ]);
  expect(
    plan.steps.flatMap((step) => (step.op === "addRoute" ? [[step.route.destination, step.route.table]] : [])),
  ).toEqual([
    ["10.9.0.0/16", 254],
    ["0.0.0.0/0", 100],
  ]);
});

test("planAttach() keeps the link's own permanent global addresses and its routes when none are configured", () => {
  const host = snapshot({
    link: link({ ifindex: 7 }),
    addresses: [
      address("10.0.0.1"),
      address("10.0.0.2", { flags: 0, validSeconds: 60 }), // of a DHCP client
      address("fd00::2", { family: "ipv6", prefixLength: 64, flags: 0x100, validSeconds: 600 }), // SLAAC
      address("fd00::abcd", { family: "ipv6", prefixLength: 64, flags: 0x01, validSeconds: 60 }), // temporary
      address("169.254.0.1", { scope: 253 }),
    ],
    routes: [
      aRoute({ ifindex: 7, gateway: "10.0.0.254", scope: 0 }),
      aRoute({
        destination: "10.8.0.0/16",
        nextHops: [
          { ifindex: 7, flags: 0, weight: 1, gateway: "10.0.0.253", attributes: [] },
          { ifindex: 9, flags: 0, weight: 1, gateway: "10.5.0.1", attributes: [] },
        ],
      }),
    ],
  });
  const { ifname, steps } = planAttach(config({}), host);
  expect(ifname).toBe("eth1");
  expect(steps.flatMap((s) => (s.op === "addAddress" ? [s.address] : []))).toEqual([
    { ifindex: 7, family: "ipv4", local: "10.0.0.1", prefixLength: 24, scope: 0, flags: 0 },
  ]);
  expect(steps.flatMap((s) => (s.op === "addRoute" ? [s.route.nextHops?.map((hop) => hop.ifindex)] : []))).toEqual([
    undefined,
    [7],
  ]);
});

test("planAttach() takes nothing from the host when addresses are configured", () => {
  const host = snapshot({ addresses: [address("10.0.0.1")], routes: [aRoute({ ifindex: 7 })] });
  const { steps } = planAttach(config({ interface: { addresses: ["10.1.0.2/24"] } }), host);
  expect(steps.map((step) => step.op)).toEqual(["rename", "addAddress", "up"]);
});

test("planAttach() makes a rule without networks for both families", () => {
  const { steps } = planAttach(config({ rules: [{ table: 100, priority: 9 }] }), snapshot());
  expect(steps.flatMap((s) => (s.op === "addRule" ? [s.rule.family] : []))).toEqual(["ipv4", "ipv6"]);
});

test("checkNames() names both devices that want one name", () => {
  const plan = { ifname: "net1", steps: [] };
  expect(() =>
    checkNames([
      { device: "eth1", plan },
      { device: "eth2", plan },
    ]),
  ).toThrow("devices eth1 and eth2 would both be named net1");
});

const rule = (over: Partial<Rule>): Rule => ({
  family: "ipv4",
  priority: 100,
  table: 100,
  action: 1,
  tos: 0,
  flags: 0,
  attributes: [],
  ...over,
});
const routesOf = ({ steps }: ReturnType<typeof planAttach>) =>
  steps.flatMap((step) => (step.op === "addRoute" ? [step.route] : []));
const rulesOf = ({ steps }: ReturnType<typeof planAttach>) =>
  steps.flatMap((step) => (step.op === "addRule" ? [step.rule] : []));
const own = { addresses: [address("10.0.0.1")] };

test("planAttach() sets sizes and sysctls before the link comes up", () => {
  const host = snapshot({
    link: link({
      gsoMaxSize: 65_536,
      groMaxSize: 65_536,
      gsoIpv4MaxSize: 65_536,
      groIpv4MaxSize: 65_536,
      tsoMaxSize: 524_280,
    }),
  });
  const { steps } = planAttach(
    config({
      interface: {
        name: "net1",
        addresses: ["10.1.0.2/24"],
        gsoMaxSize: 150_000,
        groIPv4MaxSize: 100_000,
        forwarding: true,
        arpIgnore: 0,
        arpAnnounce: 2,
        acceptRA: 0,
        dadTransmits: 0,
        routerSolicitationDelay: 0,
        routerSolicitationInterval: 1,
        disableIPv6: false,
        addrGenMode: 3,
      },
    }),
    host,
  );
  expect(
    steps.map((step) =>
      step.op === "setSysctl"
        ? `${step.sysctl.family}/${step.sysctl.key}=${step.sysctl.value}${step.optional ? "?" : ""}`
        : step.op,
    ),
  ).toEqual([
    "setOffloadSizes",
    "rename",
    "ipv4/forwarding=1",
    "ipv6/forwarding=1?",
    "ipv6/force_forwarding=1?",
    "ipv4/arp_ignore=0",
    "ipv4/arp_announce=2",
    "ipv6/accept_ra=0?",
    "ipv6/dad_transmits=0",
    "ipv6/router_solicitation_delay=0",
    "ipv6/router_solicitation_interval=1",
    "ipv6/disable_ipv6=0",
    "ipv6/addr_gen_mode=3",
    "addAddress",
    "up",
  ]);
  expect(steps[0]).toEqual({ op: "setOffloadSizes", gsoMaxSize: 150_000, groIpv4MaxSize: 100_000 });
});

const cannot: [object, Parameters<typeof link>[0], string][] = [
  [{ gsoIPv4MaxSize: 70_000 }, {}, "interface.gsoIPv4MaxSize needs Linux 6.3 or later"],
  [
    { gsoMaxSize: 70_000 },
    { gsoMaxSize: 1, tsoMaxSize: 65_536 },
    "interface.gsoMaxSize is 70000, but eth1 takes at most 65536",
  ],
  [{ groMaxSize: 524_281 }, { groMaxSize: 1 }, "interface.groMaxSize is 524281, but eth1 takes at most 524280"],
  [
    { acceptRA: 2 },
    { mtu: 1279 },
    "interface.acceptRA needs IPv6, and IPv6 an MTU of at least 1280: eth1 would have 1279",
  ],
  [{ addresses: ["fd00::1/64"], mtu: 1000 }, {}, "an IPv6 address needs IPv6, and IPv6 an MTU of at least 1280"],
];
for (const [wanted, has, problem] of cannot) {
  test(`planAttach() refuses ${JSON.stringify(wanted)} for a link with ${JSON.stringify(has)}`, () => {
    expect(() => planAttach(config({ interface: wanted }), snapshot({ link: link(has) }))).toThrow(problem);
  });
}

test("planAttach() refuses IPv6 settings where the kernel has no IPv6, except those that it meets so", () => {
  const host = snapshot({ sysctls: [{ family: "ipv4", table: "conf", key: "rp_filter", value: "0" }] });
  expect(() => planAttach(config({ interface: { acceptRA: 1 } }), host)).toThrow("IPv6, which is off in the kernel");
  const { steps } = planAttach(config({ interface: { acceptRA: 0, disableIPv6: true } }), host);
  expect(steps.every((step) => step.op !== "setSysctl" || step.optional)).toBe(true);
  expect(() =>
    planAttach(config({ interface: { acceptRA: 2, mtu: 1500 } }), snapshot({ link: link({ mtu: 1000 }) })),
  ).not.toThrow();
});

test("planAttach() takes along routes with all they say, and leaves out what the kernel would refuse in the pod", () => {
  const kept = [
    aRoute({
      ifindex: 7,
      destination: "10.2.0.0/16",
      gateway: "10.0.0.254",
      priority: 50,
      protocol: 186,
      preferredSource: "10.0.0.1",
      attributes: [{ type: 8, data: "0800020078050000" }],
    }),
    aRoute({ ifindex: 7, destination: "10.3.0.0/16", gateway: "192.0.2.1", flags: 4 }),
    aRoute({ ifindex: 7, destination: "172.16.0.0/24", scope: 253 }),
    aRoute({ ifindex: 7, destination: "10.4.0.0/16", gateway: "172.16.0.9", table: 100 }),
    aRoute({ ifindex: 7, family: "ipv6", destination: "::/0", gateway: "fe80::1" }),
  ];
  const left = [
    aRoute({ ifindex: 7, destination: "0.0.0.0/0", gateway: "10.9.0.1", protocol: 16 }),
    aRoute({ ifindex: 7, destination: "10.5.0.0/16", gateway: "10.0.0.254", preferredSource: "10.9.0.5" }),
    aRoute({
      destination: "10.6.0.0/16",
      nextHops: [{ ifindex: 7, flags: 0, weight: 1, gateway: "10.9.0.1", attributes: [] }],
    }),
  ];
  const never = [
    aRoute({ ifindex: 7, destination: "10.0.0.7/32", table: 255, type: 2 }),
    aRoute({ ifindex: 7, family: "ipv6", destination: "fe80::/64" }),
  ];
  const dhcp = address("10.9.0.5", { flags: 0, validSeconds: 600 });
  const host = snapshot({ addresses: [address("10.0.0.1"), dhcp], routes: [...left, ...never, ...kept] });
  const plan = planAttach(config({}), host);
  expect(routesOf(plan).toSorted((a, b) => a.destination.localeCompare(b.destination))).toEqual(
    kept.toSorted((a, b) => a.destination.localeCompare(b.destination)),
  );
  expect(plan.leftOut).toEqual([
    "route 0.0.0.0/0 of table 254 stays on the host: the addresses that the link takes along do not reach its gateway 10.9.0.1",
    "route 10.5.0.0/16 of table 254 stays on the host: its source 10.9.0.5 is not among the addresses that the link takes along",
    "route 10.6.0.0/16 of table 254 stays on the host: the addresses that the link takes along reach none of its gateways",
  ]);
});

test("planAttach() reaches no gateway by an address that was given without a route to its network", () => {
  const noRoute = { addresses: [address("10.0.0.1", { flags: 0x280 })] };
  const viaGateway = aRoute({ ifindex: 7, destination: "0.0.0.0/0", gateway: "10.0.0.254" });
  const byHand = aRoute({ ifindex: 7, destination: "10.0.0.0/24", scope: 253, protocol: 2 });
  expect(routesOf(planAttach(config({}), snapshot({ ...noRoute, routes: [viaGateway] })))).toEqual([]);
  expect(routesOf(planAttach(config({}), snapshot({ ...noRoute, routes: [viaGateway, byHand] })))).toEqual([
    byHand,
    viaGateway,
  ]);
});

test("planAttach() puts configured routes in the place of the link's own", () => {
  const host = snapshot({
    ...own,
    routes: [
      aRoute({ ifindex: 7, destination: "0.0.0.0/0", gateway: "10.0.0.254", priority: 100 }),
      aRoute({ ifindex: 7, table: 100 }),
    ],
  });
  const plan = planAttach(config({ routes: [{ destination: "0.0.0.0/0", gateway: "10.0.0.1" }] }), host);
  expect(routesOf(plan).map(({ destination, table, gateway }) => [destination, table, gateway])).toEqual([
    ["10.9.0.0/16", 100, undefined],
    ["0.0.0.0/0", 254, "10.0.0.1"],
  ]);
});

test("planAttach() takes along whole rules that point to tables of its own routes", () => {
  const host = snapshot({
    ...own,
    link: link({ altnames: ["blue"] }),
    routes: [aRoute({ ifindex: 7, table: 100 }), aRoute({ ifindex: 7, table: 254 })],
  });
  const mark = [{ type: 10, data: "05000000" }];
  const rules = [
    rule({ source: "10.0.0.0/24", attributes: mark }),
    rule({ iif: "eth1", oif: "lo" }),
    rule({ iif: "blue", flags: 2 }),
    rule({ iif: "eth2" }),
    rule({ oif: "eth9", source: "10.0.0.0/24" }),
    rule({ table: 101 }),
    rule({ table: 254 }),
    rule({ action: 6 }),
    rule({ family: "ipv6", source: "fd00::/64" }),
  ];
  expect(needsHostRules(config({}), host)).toBe(true);
  expect(rulesOf(planAttach(config({ interface: { name: "net1" } }), host, rules))).toEqual([
    rule({ source: "10.0.0.0/24", attributes: mark }),
    rule({ iif: "net1", oif: "lo" }),
    rule({ iif: "net1", flags: 2 }),
    rule({ family: "ipv6", source: "fd00::/64" }),
  ]);
  const configured = config({ interface: { addresses: ["10.1.0.2/24"] } });
  expect(needsHostRules(configured, host)).toBe(false);
  expect(rulesOf(planAttach(configured, host, rules))).toEqual([]);
  expect(needsHostRules(config({}), snapshot({ routes: [aRoute({ ifindex: 7, table: 254 })] }))).toBe(false);
});

test("planAttach() takes along permanent neighbours only, and nothing of IPv6 when that is disabled", () => {
  const neighbor = (destination: string, state: number, flags = 0) =>
    ({
      ifindex: 7,
      family: destination.includes(":") ? "ipv6" : "ipv4",
      destination,
      address: "02:00:00:00:00:09",
      state,
      flags,
    }) as const;
  const host = snapshot({
    addresses: [address("10.0.0.1"), address("fd00::1", { family: "ipv6", prefixLength: 64 })],
    routes: [aRoute({ ifindex: 7, family: "ipv6", destination: "fd01::/64", gateway: "fd00::2" })],
    neighbors: [
      neighbor("10.0.0.9", 0x80),
      neighbor("fd00::9", 0x80),
      neighbor("10.0.0.8", 0x40),
      neighbor("10.0.0.7", 0x80, 8),
    ],
  });
  const taken = (value: object) =>
    planAttach(config(value), host).steps.flatMap((step) => {
      if (step.op === "addNeighbor") return [step.neighbor.destination];
      if (step.op === "addRoute") return [step.route.destination];
      return step.op === "addAddress" ? [step.address.local] : [];
    });
  expect(taken({})).toEqual(["10.0.0.1", "fd00::1", "fd01::/64", "10.0.0.9", "fd00::9"]);
  expect(taken({ interface: { disableIPv6: true } })).toEqual(["10.0.0.1", "10.0.0.9"]);
});

test("planAttach() takes programs off before all else, and sets the driver's features before the link is up", () => {
  const host = snapshot({ ethtool: { features: { wanted: { "rx-gro": true }, fixed: { "rx-lro": false } } } });
  const plan = planAttach(
    config({
      interface: { disableEbpfPrograms: true, mtu: 9000, addresses: ["10.1.0.2/24"] },
      ethtool: { features: { gro: false } },
    }),
    host,
  );
  expect(plan.steps.map(({ op }) => op)).toEqual([
    "detachPrograms",
    "setMtu",
    "setFeatures",
    "rename",
    "addAddress",
    "up",
  ]);
  expect(() => planAttach(config({ ethtool: { features: { lro: true } } }), host)).toThrow(
    "feature lro of eth1 is fixed",
  );
});
