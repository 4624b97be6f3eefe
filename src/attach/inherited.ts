/** What a link brings along from the host when its configuration names no addresses: as DRANET does, but all of it. Pure. */

import type { LinkSnapshot } from "../kernel/calls.ts";
import { type Address, IFA_F_NOPREFIXROUTE, IFA_F_PERMANENT } from "../netlink/address.ts";
import { type Neighbor, NUD_PERMANENT } from "../netlink/neighbor.ts";
import { type NextHop, type Route, RT_SCOPE_UNIVERSE, RT_TABLE_LOCAL, RT_TABLE_MAIN } from "../netlink/route.ts";
import { FR_ACT_TO_TBL, type Rule } from "../netlink/rule.ts";
import { holds } from "./prefix.ts";

/** linux/rtnetlink.h */
const RT_TABLE_DEFAULT = 253;
const RTNH_F_ONLINK = 4;
/** A gateway of the other family. */
const RTA_VIA = 18;
const NTF_PROXY = 8;
const LINK_LOCAL = "fe80::/10";

export interface Inherited {
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly neighbors: readonly Neighbor[];
  /** One sentence for each thing that could not work in the pod. */
  readonly leftOut: readonly string[];
}

/**
 * Permanent addresses of global scope, routes of all tables but local that those addresses can carry, permanent
 * neighbours. A route whose gateway is reached by an address that stays (one by DHCP, say) would be refused by the kernel.
 */
export function inheritedState(host: LinkSnapshot): Inherited {
  const addresses = host.addresses.filter(isPermanentGlobal).map(asConfigured);
  const candidates = host.routes
    .filter(({ table, destination }) => table !== RT_TABLE_LOCAL && !isLinkLocal(destination))
    .flatMap((route) => ownPart(route, host.link.ifindex));
  const onLink = candidates.filter((route) => !hasGateway(route));
  const leftOut: string[] = [];
  const routes = candidates.flatMap((route) => {
    const carried = carriedPart(route, addresses, onLink);
    if (typeof carried !== "string") return [carried];
    leftOut.push(`route ${route.destination} of table ${route.table} stays on the host: ${carried}`);
    return [];
  });
  const neighbors = host.neighbors.filter(
    ({ state, flags }) => (state & NUD_PERMANENT) !== 0 && (flags & NTF_PROXY) === 0,
  );
  return { addresses, routes, neighbors, leftOut };
}

/** Tables of their own that routes of the link stand in: rules that point there go with them. */
export function ownTables({ routes }: LinkSnapshot): ReadonlySet<number> {
  const common = [0, RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL];
  return new Set(routes.map(({ table }) => table).filter((table) => !common.includes(table)));
}

/**
 * The host's rules that point to `tables`, whole: with marks, ports, protocol and user ids. One for packets of another
 * link of the host has no meaning in the pod, where a stranger may have that name.
 */
export function inheritedRules(
  rules: readonly Rule[],
  tables: ReadonlySet<number>,
  { link }: LinkSnapshot,
  ifname: string,
): readonly Rule[] {
  const names = [link.ifname, ...link.altnames];
  const inPod = (name: string) => (names.includes(name) ? ifname : name === "lo" ? name : undefined);
  return rules.flatMap((rule) => {
    if (rule.action !== FR_ACT_TO_TBL || !tables.has(rule.table)) return [];
    const { iif, oif, ...rest } = rule;
    const [from, to] = [iif === undefined ? "" : inPod(iif), oif === undefined ? "" : inPod(oif)];
    if (from === undefined || to === undefined) return [];
    return [{ ...rest, ...(from === "" ? {} : { iif: from }), ...(to === "" ? {} : { oif: to }) }];
  });
}

function isPermanentGlobal(address: Address): boolean {
  return address.scope === RT_SCOPE_UNIVERSE && (address.flags & IFA_F_PERMANENT) !== 0;
}

/** A label carries the old interface name. */
function asConfigured({ label: _, ...address }: Address): Address {
  return { ...address, flags: address.flags & IFA_F_NOPREFIXROUTE };
}

/** The kernel makes these for every link. */
function isLinkLocal(destination: string): boolean {
  const [address = ""] = destination.split("/");
  return destination.startsWith("fe80:") && holds(LINK_LOCAL, address);
}

/** Of a multipath route only the hops over this link can follow it. */
function ownPart(route: Route, ifindex: number): readonly Route[] {
  if (route.nextHops === undefined) return [route];
  const own = route.nextHops.filter((hop) => hop.ifindex === ifindex);
  return own.length === 0 ? [] : [{ ...route, nextHops: own }];
}

/** The route, of a multipath one what remains of it, or why it cannot be in the pod. */
function carriedPart(route: Route, addresses: readonly Address[], onLink: readonly Route[]): Route | string {
  const { preferredSource } = route;
  if (preferredSource !== undefined && !addresses.some(({ local }) => local === preferredSource))
    return `its source ${preferredSource} is not among the addresses that the link takes along`;
  const reaches = (hop: Pick<NextHop, "gateway" | "flags">) =>
    hop.gateway === undefined ||
    (hop.flags & RTNH_F_ONLINK) !== 0 ||
    holds(LINK_LOCAL, hop.gateway) ||
    addresses.some((address) => isBeside(address, hop.gateway ?? "")) ||
    onLink.some(({ table, destination }) => isSearched(table, route.table) && holds(destination, hop.gateway ?? ""));
  if (route.nextHops === undefined)
    return reaches(route) ? route : `the addresses that the link takes along do not reach its gateway ${route.gateway}`;
  const nextHops = route.nextHops.filter(reaches);
  return nextHops.length > 0
    ? { ...route, nextHops }
    : "the addresses that the link takes along reach none of its gateways";
}

function hasGateway({ gateway, nextHops, attributes }: Route): boolean {
  return gateway !== undefined || nextHops !== undefined || attributes.some(({ type }) => type === RTA_VIA);
}

/** The address makes the kernel route to that other address over the link. */
function isBeside({ local, peer, prefixLength, flags }: Address, other: string): boolean {
  return (flags & IFA_F_NOPREFIXROUTE) === 0 && holds(`${peer ?? local}/${prefixLength}`, other);
}

/** Gateways are looked for in the route's own table and in main. */
function isSearched(table: number, own: number): boolean {
  return table === own || table === RT_TABLE_MAIN;
}
