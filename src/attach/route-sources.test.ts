import { expect, test } from "bun:test";
import { aRoute } from "../../test/fakes/facts.ts";
import type { LinkStep } from "../kernel/steps.ts";
import type { Address } from "../netlink/address.ts";
import { withUsableSources } from "./route-sources.ts";

const v6: Address = { ifindex: 0, family: "ipv6", local: "fd00::9", prefixLength: 64, scope: 0, flags: 0 };
const route = aRoute({ family: "ipv6", destination: "fd11::/64" });
const add = (address: Address): LinkStep => ({ op: "addAddress", address });
const via = (preferredSource?: string): LinkStep => ({
  op: "addRoute",
  route: preferredSource === undefined ? route : { ...route, preferredSource },
});

test("withUsableSources() adds a preferred IPv6 address without a look for others, and after the routes as it is to be", () => {
  const other = { ...v6, local: "fd00::8" };
  const last: LinkStep = {
    op: "addRule",
    rule: { family: "ipv6", priority: 0, table: 9, action: 1, tos: 0, flags: 0, attributes: [] },
  };
  expect(withUsableSources([add(v6), add(other), { op: "up" }, via("fd00::9"), via(), last])).toEqual([
    add({ ...v6, flags: 0x02 }),
    add(other),
    { op: "up" },
    via("fd00::9"),
    via(),
    add(v6),
    last,
  ]);
});

test.each([
  ["no route prefers an address", [add(v6), { op: "up" }, via()]],
  ["the address is one that nobody looks for", [add({ ...v6, flags: 0x02 }), { op: "up" }, via("fd00::9")]],
  ["the address is IPv4", [add({ ...v6, family: "ipv4", local: "10.0.0.9" }), { op: "up" }, via("10.0.0.9")]],
] as const)("withUsableSources() changes nothing where %s", (_, steps) => {
  expect(withUsableSources(steps)).toEqual(steps);
});
