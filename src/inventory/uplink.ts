/** Which links the host itself lives on. They are never offered. */

import type { Link } from "../netlink/link.ts";
import { type Route, RT_TABLE_MAIN, RTN_UNICAST } from "../netlink/route.ts";
import type { InventoryFacts } from "./facts.ts";

/** Kinds whose IFLA_LINK names the other end, not a lower device. */
const PAIRED_KINDS: ReadonlySet<string> = new Set(["veth", "netkit", "vxcan"]);

/**
 * Indices of the links that carry the default routes or lead to the API server, with their masters, the members of
 * these, and all lower devices, recursively: on Azure the VF is a member of the synthetic link that has the address.
 * The other end of a pair counts for a link that has the route itself, not for a member: a veth in a bridge with the
 * uplink leads away from it.
 */
export function uplinkIfindexes(
  facts: Pick<InventoryFacts, "links" | "defaultRoutes" | "routedBy">,
): ReadonlySet<number> {
  const routed = new Set([...defaultRouteIfindexes(facts.defaultRoutes), ...Object.values(facts.routedBy)]);
  const byIndex = new Map(facts.links.map((link) => [link.ifindex, link]));
  const members = Map.groupBy(facts.links, (link) => link.master);
  const found = new Set<number>();
  const pending = [...routed];
  for (let ifindex = pending.pop(); ifindex !== undefined; ifindex = pending.pop()) {
    if (found.has(ifindex)) continue;
    found.add(ifindex);
    const link = byIndex.get(ifindex);
    if (link === undefined) continue;
    if (link.master !== undefined) pending.push(link.master);
    pending.push(...(members.get(ifindex) ?? []).map((member) => member.ifindex));
    const lower = localLower(link);
    if (lower !== undefined && (routed.has(ifindex) || !PAIRED_KINDS.has(link.kind ?? ""))) pending.push(lower);
  }
  return found;
}

/** The lower device when it is in the same namespace; an index of another one means nothing here. */
function localLower(link: Link): number | undefined {
  return link.linkNetnsId === undefined ? link.lower : undefined;
}

/** Links of the default routes with the lowest metric of the main table, of each family, with all next hops. */
function defaultRouteIfindexes(routes: readonly Route[]): number[] {
  return (["ipv4", "ipv6"] as const).flatMap((family) => {
    const usable = routes.filter(
      (route) => route.family === family && route.table === RT_TABLE_MAIN && route.type === RTN_UNICAST,
    );
    const lowest = usable.reduce((least, route) => Math.min(least, route.priority ?? 0), Number.POSITIVE_INFINITY);
    return usable.filter((route) => (route.priority ?? 0) === lowest).flatMap(hopIfindexes);
  });
}

function hopIfindexes(route: Route): number[] {
  if (route.nextHops !== undefined) return route.nextHops.map((hop) => hop.ifindex);
  return route.ifindex === undefined ? [] : [route.ifindex];
}
