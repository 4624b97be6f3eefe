import { expect, test } from "bun:test";
import { aDefaultRoute, aLink, factsWith } from "../../test/fakes/facts.ts";
import type { InventoryFacts } from "./facts.ts";
import { uplinkIfindexes } from "./uplink.ts";

function uplinks(facts: Partial<InventoryFacts>): number[] {
  return [...uplinkIfindexes(factsWith(facts))].sort((a, b) => a - b);
}

test("uplinkIfindexes() takes the route with the lowest metric of each family, with all its next hops", () => {
  const hop = { flags: 0, weight: 1, attributes: [] };
  const found = uplinks({
    links: [2, 3, 4, 5, 6].map((n) => aLink(n, `eth${n}`)),
    defaultRoutes: [
      aDefaultRoute(undefined, {
        priority: 100,
        nextHops: [
          { ...hop, ifindex: 2 },
          { ...hop, ifindex: 3 },
        ],
      }),
      aDefaultRoute(4, { priority: 200 }),
      aDefaultRoute(5, { family: "ipv6", priority: 1024 }),
      aDefaultRoute(6, { family: "ipv6", priority: 1025 }),
    ],
  });
  expect(found).toEqual([2, 3, 5]);
});

test("uplinkIfindexes() ignores default routes of other tables and routes that lead nowhere", () => {
  const found = uplinks({
    links: [aLink(2, "eth0"), aLink(3, "eth1")],
    defaultRoutes: [aDefaultRoute(2, { table: 101 }), aDefaultRoute(3, { type: 7 })],
  });
  expect(found).toEqual([]);
});

test("uplinkIfindexes() takes the VF that is a member of the synthetic link with the route (Azure)", () => {
  const links = [
    aLink(2, "eth0"),
    aLink(3, "enP1s1", { master: 2 }),
    aLink(4, "eth1"),
    aLink(5, "enP2s1", { master: 4 }),
  ];
  expect(uplinks({ links, defaultRoutes: [aDefaultRoute(2)] })).toEqual([2, 3]);
});

test("uplinkIfindexes() goes down through VLAN, bond and members, and up to the masters", () => {
  const links = [
    aLink(2, "eth0", { master: 4 }),
    aLink(3, "eth1", { master: 4 }),
    aLink(4, "bond0", { kind: "bond" }),
    aLink(5, "bond0.7", { kind: "vlan", lower: 4, master: 6 }),
    aLink(6, "br0", { kind: "bridge" }),
    aLink(7, "eth2"),
  ];
  expect(uplinks({ links, defaultRoutes: [aDefaultRoute(6)] })).toEqual([2, 3, 4, 5, 6]);
  expect(uplinks({ links, defaultRoutes: [aDefaultRoute(2)] })).toEqual([2, 3, 4]);
});

test("uplinkIfindexes() leaves a macvlan on the uplink, and the far end of a veth beside it in a bridge", () => {
  const links = [
    aLink(2, "eth0", { master: 3 }),
    aLink(3, "br0", { kind: "bridge" }),
    aLink(4, "veth-br", { kind: "veth", lower: 5, master: 3 }),
    aLink(5, "veth-pod", { kind: "veth", lower: 4 }),
    aLink(6, "mv0", { kind: "macvlan", lower: 2 }),
  ];
  expect(uplinks({ links, defaultRoutes: [aDefaultRoute(3)] })).toEqual([2, 3, 4]);
});

test("uplinkIfindexes() takes both ends of a veth that has the route, unless the other is in another namespace", () => {
  const near = aLink(2, "eth0", { kind: "veth", lower: 3 });
  const far = aLink(3, "peer", { kind: "veth", lower: 2 });
  expect(uplinks({ links: [near, far], defaultRoutes: [aDefaultRoute(2)] })).toEqual([2, 3]);
  expect(uplinks({ links: [{ ...near, linkNetnsId: 0 }, far], defaultRoutes: [aDefaultRoute(2)] })).toEqual([2]);
});

test("uplinkIfindexes() takes the link towards the API server, and ends on rings", () => {
  const links = [aLink(2, "eth0", { master: 3, lower: 3 }), aLink(3, "eth1", { master: 2, lower: 2 })];
  expect(uplinks({ links, routedBy: { "10.0.0.1": 2 } })).toEqual([2, 3]);
});
