import { expect, test } from "bun:test";
import { link, snapshot } from "../claims/testing.ts";
import { parseNetworkConfig } from "../config/network-config.ts";
import type { Address } from "../netlink/address.ts";
import type { Route } from "../netlink/route.ts";
import { checkNames, planAttach } from "./plan.ts";

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
const route = (over: Partial<Route>): Route => ({
  family: "ipv4",
  destination: "10.9.0.0/16",
  table: 254,
  protocol: 4,
  scope: 0,
  type: 1,
  tos: 0,
  flags: 0,
  attributes: [],
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
      address("10.0.0.2", { flags: 0, validSeconds: 60 }),
      address("169.254.0.1", { scope: 253 }),
    ],
    routes: [
      route({ ifindex: 7, gateway: "10.0.0.254", scope: 0 }),
      route({
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
  const host = snapshot({ addresses: [address("10.0.0.1")], routes: [route({ ifindex: 7 })] });
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
