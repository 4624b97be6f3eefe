/** All that can be said of one link, as lines of text: two states are the same when their lines are. */

import type { Kernel, LinkSnapshot, NetnsRef } from "../kernel/calls.ts";
import { IFF_UP } from "../netlink/link.ts";
import { type Route, RT_TABLE_LOCAL, RT_TABLE_MAIN, RTPROT_KERNEL } from "../netlink/route.ts";

/** IFA_F_TENTATIVE: duplicate address detection is under way, for a second after each return. */
const TENTATIVE = 0x40;
const IF_OPER_UP = 6;

export interface LinkState {
  readonly snapshot: LinkSnapshot;
  /** Of all tables, also those that the kernel makes of the addresses. */
  readonly routes: readonly Route[];
}

/** `undefined` when the namespace has no link of that name. */
export async function readLink(kernel: Kernel, netns: NetnsRef, ifname: string): Promise<LinkState | undefined> {
  const { links, routes } = await kernel.readNamespace({ netns });
  const link = links.find((candidate) => candidate.ifname === ifname);
  if (link === undefined) return undefined;
  const { ifindex } = link;
  return {
    snapshot: await kernel.snapshotLink({ netns, ifindex }),
    routes: routes.filter(
      (route) => route.ifindex === ifindex || route.nextHops?.some((hop) => hop.ifindex === ifindex),
    ),
  };
}

/**
 * Every fact on a line of its own, sorted. Left out is what is no property of the link: its index, which the kernel may
 * change with each move, and the time.
 */
export function factsOf({ snapshot, routes }: LinkState): readonly string[] {
  const { link, addresses, neighbors, sysctls } = snapshot;
  const { ifindex: own, linkNetnsId: _, ...rest } = link;
  const line = (kind: string, fact: object) =>
    `${kind} ${JSON.stringify(fact, (key, value) => (key === "ifindex" && value === own ? link.ifname : value))}`;
  return [
    ...Object.entries(rest).map(([key, value]) => `link ${key} ${JSON.stringify(value)}`),
    ...addresses.map((address) => line("address", { ...address, flags: address.flags & ~TENTATIVE })),
    ...routes.filter((route) => !isOwnAddress(route)).map((route) => line("route", route)),
    ...neighbors.map((neighbor) => line("neighbor", neighbor)),
    ...sysctls.map(({ family, table, key, value }) => `sysctl ${family}/${table}/${key} ${value}`),
  ].toSorted();
}

/** The way to an address of the link itself: for IPv6 the kernel adds it only when duplicate address detection is over. */
function isOwnAddress({ family, table, protocol }: Route): boolean {
  return family === "ipv6" && table === RT_TABLE_LOCAL && protocol === RTPROT_KERNEL;
}

/** What changed, a line each: `-` was there before, `+` is there now. */
export function differences(before: LinkState, after: LinkState | undefined): readonly string[] {
  if (after === undefined) return [`- the link ${before.snapshot.link.ifname}`];
  const was = factsOf(before);
  const is = factsOf(after);
  return [
    ...was.filter((fact) => !is.includes(fact)).map((fact) => `- ${fact}`),
    ...is.filter((fact) => !was.includes(fact)).map((fact) => `+ ${fact}`),
  ];
}

/** The link in a few words for people, as `ip` would say it. */
export function describeLink({ snapshot, routes }: LinkState): readonly string[] {
  const { link, addresses, neighbors } = snapshot;
  const alias = link.alias === undefined ? "" : `, alias "${link.alias}"`;
  const own = routes.filter((route) => route.table !== RT_TABLE_LOCAL && route.gateway !== undefined);
  return [
    `${link.ifname}: ${isUp({ snapshot, routes }) ? "up" : "down"}, MTU ${link.mtu}, ${link.address ?? "no address"}, queue ${link.txQueueLen}${alias}`,
    `addresses  ${addresses.map(({ local, prefixLength }) => `${local}/${prefixLength}`).join("  ") || "none"}`,
    `routes     ${own.map(describeRoute).join("  ") || "none"}`,
    ...neighbors.map(({ destination, address }) => `neighbor   ${destination} is ${address ?? "unknown"}`),
  ];
}

/** Up, and with a carrier: the kernel tells of a carrier a moment after it is there. */
export function isUp({ snapshot: { link } }: LinkState): boolean {
  return (link.flags & IFF_UP) !== 0 && link.operstate === IF_OPER_UP;
}

function describeRoute({ destination, gateway, priority, table }: Route): string {
  const where = table === RT_TABLE_MAIN ? "" : ` table ${table}`;
  return `${destination} via ${gateway}${priority === undefined ? "" : ` metric ${priority}`}${where}`;
}
