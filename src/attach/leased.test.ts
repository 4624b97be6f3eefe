import { expect, test } from "bun:test";
import type { HeldLease } from "../claims/record.ts";
import { aLease, claimDevice, link, snapshot } from "../claims/testing.ts";
import { freeMetric, leaseChange, leaseMtu, leaseRoutes, stepsNow, withLease, withoutLease } from "./leased.ts";
import { planAttach } from "./plan.ts";

const LEASE = aLease({
  takenAtMs: 1_000_000,
  seconds: 60,
  renewAfterSeconds: 30,
  rebindAfterSeconds: 50,
  routes: [{ destination: "0.0.0.0/0", gateway: "10.0.0.1" }, { destination: "10.7.0.0/16" }],
});
const HOST = snapshot({ link: link({ mtu: 1500 }) });
const PLAN = planAttach({ interface: { name: "net1", addressing: "DHCP" } }, HOST, [], LEASE);

test("planAttach() makes a lease part of the plan, and nothing of the host's own addresses", () => {
  const host = snapshot({
    addresses: [{ ifindex: 7, family: "ipv4", local: "10.9.0.1", prefixLength: 24, scope: 0, flags: 0x80 }],
  });
  const { steps } = planAttach({ interface: { dhcp: true } }, host, [], { ...LEASE, mtu: 1400 });
  expect(
    steps.flatMap((step) => (step.op === "addAddress" ? [step.address.local, step.address.validSeconds] : [])),
  ).toEqual(["10.0.0.9", 60]);
  expect(steps).toContainEqual({ op: "setMtu", mtu: 1400 });
  const routes = steps.flatMap((step) => (step.op === "addRoute" ? [step.route] : []));
  expect(
    routes.map(({ destination, gateway, priority, protocol }) => [destination, gateway, priority, protocol]),
  ).toEqual([
    ["10.7.0.0/16", undefined, 1024, 16],
    ["0.0.0.0/0", "10.0.0.1", 1024, 16],
  ]);
});

test("a configured MTU is kept, and a server's is taken only to lower the link's", () => {
  const mtuOf = (mtu: number, configured?: number) =>
    planAttach({ interface: { dhcp: true, ...(configured === undefined ? {} : { mtu: configured }) } }, HOST, [], {
      ...LEASE,
      mtu,
    }).steps.flatMap((step) => (step.op === "setMtu" ? [step.mtu] : []));
  expect([mtuOf(1400), mtuOf(9000), mtuOf(1400, 1300)]).toEqual([[1400], [], [1300]]);
  expect(leaseMtu(undefined, HOST)).toBeUndefined();
});

test("leaseRoutes() has a gateway outside of the subnet on the link, as clouds with /32 need it", () => {
  const flags = (over: Partial<HeldLease>) => leaseRoutes({ ...LEASE, ...over }).map((route) => route.flags);
  expect(flags({})).toEqual([0, 0]);
  expect(flags({ prefixLength: 32 })).toEqual([4, 0]);
  const routes = [{ destination: "10.0.0.1/32" }, { destination: "0.0.0.0/0", gateway: "10.0.0.1" }];
  expect(flags({ prefixLength: 32, routes })).toEqual([0, 0]);
});

test("freeMetric() leaves out the metrics of the pod's other leases", () => {
  const other = planAttach({ interface: { dhcp: true } }, HOST, [], { ...LEASE, metric: 1025 });
  expect([freeMetric([]), freeMetric([PLAN]), freeMetric([other]), freeMetric([other, PLAN])]).toEqual([
    1024, 1025, 1024, 1026,
  ]);
});

test("stepsNow() gives the address the time that is left, and nothing of a lease that is over", () => {
  const record = claimDevice({ plan: PLAN, lease: LEASE });
  const lives = (nowMs: number) =>
    stepsNow(record, nowMs).flatMap((step) => (step.op === "addAddress" ? [step.address.validSeconds] : []));
  expect(lives(1_000_000)).toEqual([60]);
  expect(lives(1_045_000)).toEqual([15]);
  expect(lives(1_060_000)).toEqual([]);
  expect(stepsNow(record, 1_060_000).some(({ op }) => op === "addRoute")).toBe(false);
});

test("withLease() puts another lease in the place of the first, and leaseChange() says what that is in the pod", () => {
  const after = { ...LEASE, address: "10.0.0.10", takenAtMs: 2_000_000, routes: [] };
  const plan = withLease(PLAN, LEASE, after, 2_000_000);
  expect(plan).toEqual(planAttach({ interface: { name: "net1", addressing: "DHCP" } }, HOST, [], after));
  expect(leaseChange(PLAN, plan, { before: LEASE, after }).map(({ op }) => op)).toEqual([
    "removeRoute",
    "removeRoute",
    "removeAddress",
    "addAddress",
  ]);
  const gone = withoutLease(PLAN, LEASE);
  expect(withLease(gone, LEASE, LEASE, LEASE.takenAtMs).steps).toHaveLength(PLAN.steps.length);
  expect(leaseChange(PLAN, gone, { before: LEASE }).map(({ op }) => op)).toEqual([
    "removeRoute",
    "removeRoute",
    "removeAddress",
  ]);
});

test("leaseChange() of an extension renews the address and keeps everything else", () => {
  const after = { ...LEASE, takenAtMs: 1_030_000 };
  const plan = withLease(PLAN, LEASE, after, 1_030_000);
  const change = leaseChange(PLAN, plan, { before: LEASE, after });
  expect(change.map(({ op }) => op)).toEqual(["addAddress", "addRoute", "addRoute"]);
});

test("withLease() leaves a configured route in the place of the server's", () => {
  const config = { interface: { dhcp: true }, routes: [{ destination: "0.0.0.0/0", gateway: "10.0.0.7" }] };
  const plan = withLease(planAttach(config, HOST, [], LEASE), LEASE, LEASE, LEASE.takenAtMs);
  const defaults = plan.steps.filter((step) => step.op === "addRoute" && step.route.destination === "0.0.0.0/0");
  expect(defaults).toMatchObject([{ route: { gateway: "10.0.0.7" } }]);
});
