import { expect, test } from "bun:test";
import { aRoute } from "../../test/fakes/facts.ts";
import { link, snapshot } from "../claims/testing.ts";
import type { Address } from "../netlink/address.ts";
import type { Route } from "../netlink/route.ts";
import { restoreSteps } from "./restore.ts";

const v4: Address = { ifindex: 7, family: "ipv4", local: "10.0.0.1", prefixLength: 24, scope: 0, flags: 0x80 };
const route = (destination: string, over: Partial<Route> = {}) => aRoute({ destination, ifindex: 7, ...over });

test("restoreSteps() gives back name, MTU, MAC, alias and altnames and nothing that did not change", () => {
  const before = snapshot({ link: link({ altnames: ["blue"], alias: "uplink a" }) });
  const now = snapshot({ link: link({ ifname: "nfx", mtu: 9000, address: "02:00:00:00:00:02", altnames: ["red"] }) });
  expect(restoreSteps(before, now, 0)).toEqual([
    { op: "rename", ifname: "eth1" },
    { op: "removeAltname", altname: "red" },
    { op: "addAltname", altname: "blue" },
    { op: "setAlias", alias: "uplink a" },
    { op: "setAddress", address: "02:00:00:00:00:01" },
    { op: "setMtu", mtu: 1500 },
    { op: "up" },
  ]);
});

test("restoreSteps() shortens a lifetime by the time away and leaves out what has expired", () => {
  const addresses = [
    v4,
    { ...v4, local: "10.0.0.2", flags: 0, validSeconds: 60, preferredSeconds: 20 },
    { ...v4, local: "10.0.0.3", flags: 0, validSeconds: 5 },
  ];
  const steps = restoreSteps(snapshot({ addresses }), snapshot(), 30_000);
  expect(steps.filter((step) => step.op === "addAddress").map((step) => step.address)).toEqual([
    { ...v4, flags: 0 },
    { ...v4, local: "10.0.0.2", flags: 0, validSeconds: 30, preferredSeconds: 0 },
  ]);
});

test("restoreSteps() leaves to routers and the kernel what is theirs", () => {
  const v6: Address = { ifindex: 7, family: "ipv6", local: "fd00::1", prefixLength: 64, scope: 0, flags: 0x80 };
  const addresses = [
    { ...v6, protocol: 2, validSeconds: 100 },
    { ...v6, local: "fe80::1", scope: 253, protocol: 3 },
    { ...v6, local: "fd00::2", flags: 0x01, validSeconds: 100 },
    { ...v6, local: "fd00::3", protocol: 0 },
  ];
  const steps = restoreSteps(snapshot({ addresses }), snapshot(), 0);
  expect(steps.filter((step) => step.op === "addAddress").map((step) => step.address.local)).toEqual(["fd00::3"]);
});

test("restoreSteps() puts routes on the link before the routes through them", () => {
  const routes = [route("0.0.0.0/0", { gateway: "10.0.0.254" }), route("10.9.0.0/16", { scope: 253 })];
  const steps = restoreSteps(snapshot({ routes }), snapshot(), 0);
  expect(steps.flatMap((step) => (step.op === "addRoute" ? [step.route.destination] : []))).toEqual([
    "10.9.0.0/16",
    "0.0.0.0/0",
  ]);
});

test("restoreSteps() leaves a link down that was down, without routes that need it up", () => {
  const before = snapshot({ link: link({ flags: 0x1002 }), addresses: [v4], routes: [route("10.9.0.0/16")] });
  expect(restoreSteps(before, snapshot(), 0).map((step) => step.op)).toEqual(["addAddress", "down"]);
});

test("restoreSteps() writes only the sysctls that differ", () => {
  const sysctl = (key: string, value: string) => ({ family: "ipv4", table: "conf", key, value }) as const;
  const before = snapshot({ sysctls: [sysctl("rp_filter", "2"), sysctl("forwarding", "0")] });
  const now = snapshot({ sysctls: [sysctl("rp_filter", "0"), sysctl("forwarding", "0")] });
  expect(restoreSteps(before, now, 0)[0]).toEqual({ op: "setSysctl", sysctl: sysctl("rp_filter", "2") });
});

test("restoreSteps() lowers IPv6's MTU after the link is up, which would raise it again", () => {
  const mtu = { family: "ipv6", table: "conf", key: "mtu", value: "1280" } as const;
  const hops = { family: "ipv6", table: "conf", key: "hop_limit", value: "9" } as const;
  const steps = restoreSteps(snapshot({ sysctls: [mtu, hops] }), snapshot(), 0);
  expect(steps).toEqual([{ op: "setSysctl", sysctl: hops }, { op: "up" }, { op: "setSysctl", sysctl: mtu }]);
});

test("restoreSteps() gives the link back to its master, before the addresses that joining one may cost", () => {
  const address = { ifindex: 7, family: "ipv6", local: "fd00::1", prefixLength: 64, scope: 0, flags: 0x80 } as const;
  const before = snapshot({ link: link({ master: 3, flags: 1 }), masterName: "vrf-blue", addresses: [address] });
  const ops = restoreSteps(before, snapshot({ link: link({ flags: 0 }) }), before.takenAtMs).map(({ op }) => op);
  expect(ops).toEqual(["joinMaster", "up", "addAddress"]);
});

test("restoreSteps() gives IPv6 addresses to a link that is up, which keeps the routes of their prefixes, the last one first", () => {
  const v6: Address = { ...v4, family: "ipv6", local: "fd00::1", prefixLength: 64, flags: 0x02 };
  const before = snapshot({ addresses: [{ ...v6, validSeconds: 60 }, v4, { ...v6, local: "fd00::2", flags: 0x82 }] });
  const steps = restoreSteps(before, snapshot({}), before.takenAtMs);
  expect(steps.map((step) => (step.op === "addAddress" ? step.address.local : step.op))).toEqual([
    "10.0.0.1",
    "up",
    "fd00::2",
    "fd00::1",
  ]);
});
