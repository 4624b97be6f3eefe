import { expect, test } from "bun:test";
import { aRoute } from "../../test/fakes/facts.ts";
import type { Route } from "../netlink/route.ts";
import { satisfies } from "./route-compare.ts";

const wanted = aRoute({ family: "ipv6", destination: "fd10::/64", ifindex: 3, gateway: "fd00::2" });

/** The kernel adds its default metric and preference to what was asked for. */
const standing: Route = { ...wanted, protocol: 3, priority: 1024, attributes: [{ type: 20, data: "00" }] };

test("satisfies() passes over what the kernel added and who installed the route", () => {
  expect(satisfies(standing, wanted)).toBe(true);
});

test.each<[string, Partial<Route>]>([
  ["gateway", { gateway: "fd00::3" }],
  ["link", { ifindex: 4 }],
  ["table", { table: 100 }],
  ["metric", { priority: 50 }],
  ["type", { type: 6 }],
  ["destination", { destination: "fd10::/65" }],
  ["source", { source: "fd00::/64" }],
  ["preferred source", { preferredSource: "fd00::1" }],
  ["ONLINK", { flags: 4 }],
  ["metrics", { attributes: [{ type: 8, data: "0800020078050000" }] }],
])("satisfies() is false for another %s", (_what, change) => {
  expect(satisfies(standing, { ...wanted, ...change })).toBe(false);
});

test("satisfies() takes one hop for a single path, and hops in any order", () => {
  const { ifindex: _, gateway: __, ...rest } = wanted;
  const hop = (ifindex: number, gateway: string, weight = 1) => ({
    ifindex,
    gateway,
    weight,
    flags: 0,
    attributes: [],
  });
  const one = { ...rest, nextHops: [hop(3, "fd00::2")] };
  const two = { ...rest, nextHops: [hop(3, "fd00::2"), hop(4, "fd01::2", 7)] };
  expect(satisfies(standing, one)).toBe(true);
  expect(satisfies(standing, two)).toBe(false);
  expect(satisfies({ ...two, nextHops: two.nextHops.toReversed() }, two)).toBe(true);
  expect(satisfies({ ...two, nextHops: [hop(3, "fd00::2"), hop(4, "fd01::2", 8)] }, two)).toBe(false);
});

test("satisfies() does not ask where a route that leads nowhere leads", () => {
  const { ifindex: _, gateway: __, ...rest } = wanted;
  const blackhole = { ...rest, type: 6 };
  expect(satisfies({ ...blackhole, ifindex: 1, priority: 1024 }, blackhole)).toBe(true);
});
