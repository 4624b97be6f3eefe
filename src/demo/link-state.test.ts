import { expect, test } from "bun:test";
import { aRoute } from "../../test/fakes/facts.ts";
import type { Address } from "../netlink/address.ts";
import { differences, factsOf, type LinkState } from "./link-state.ts";

const ADDRESS: Address = { ifindex: 5, family: "ipv4", local: "192.0.2.2", prefixLength: 24, scope: 0, flags: 0x80 };
const ROUTE = aRoute({ destination: "198.51.100.0/24", gateway: "192.0.2.1", ifindex: 5 });

function state({ ifindex = 5, mtu = 9000, addresses = [ADDRESS], routes = [ROUTE] } = {}): LinkState {
  const link = {
    ifindex,
    ifname: "fast0",
    arpType: 1,
    flags: 1,
    mtu,
    altnames: [],
    txQueueLen: 500,
    operstate: 6,
    group: 0,
  };
  return { snapshot: { takenAtMs: 1, link, addresses, routes: [], neighbors: [], sysctls: [] }, routes };
}

test("differences() finds none when only the index changed", () => {
  const moved = state({ ifindex: 9, addresses: [{ ...ADDRESS, ifindex: 9 }], routes: [{ ...ROUTE, ifindex: 9 }] });
  expect(differences(state(), moved)).toEqual([]);
});

test("differences() finds a changed MTU, a lost address and a new route", () => {
  const other = { ...ROUTE, destination: "203.0.113.0/24" };
  const changes = differences(state(), state({ mtu: 1500, addresses: [], routes: [ROUTE, other] }));
  expect(changes.map((line) => line.slice(0, 14))).toEqual([
    '- address {"if',
    "- link mtu 900",
    "+ link mtu 150",
    '+ route {"fami',
  ]);
});

test("differences() names the link when it is not there", () => {
  expect(differences(state(), undefined)).toEqual(["- the link fast0"]);
});

test("factsOf() leaves out what duplicate address detection changes by itself", () => {
  const tentative = state({ addresses: [{ ...ADDRESS, flags: 0xc0 }] });
  expect(factsOf(tentative)).toEqual(factsOf(state()));
});
