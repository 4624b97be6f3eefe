/** Whether a route that stands in the kernel does what a wanted one asks for: pure. */

import type { NextHop, Route } from "../netlink/route.ts";

/** IP6_RT_PRIO_USER: what the kernel gives an IPv6 route without a metric. */
const IP6_RT_PRIO_USER = 1024;
/** RTN_BLACKHOLE, UNREACHABLE, PROHIBIT: they lead nowhere, whatever link the kernel shows for them. */
const NOWHERE: ReadonlySet<number> = new Set([6, 7, 8]);

/** The same entry of the table: the kernel keeps one route per destination, source, type of service and priority. */
export function isSameEntry(a: Route, b: Route): boolean {
  return (
    a.family === b.family &&
    a.table === b.table &&
    a.tos === b.tos &&
    a.destination === b.destination &&
    (a.source ?? "") === (b.source ?? "") &&
    priorityOf(a) === priorityOf(b)
  );
}

/** `standing` has all that `wanted` says; who installed it does not matter, nor what the kernel added of itself. */
export function satisfies(standing: Route, wanted: Route): boolean {
  if (!isSameEntry(standing, wanted) || standing.type !== wanted.type) return false;
  if (!NOWHERE.has(wanted.type) && !sameHops(hopsOf(standing), hopsOf(wanted))) return false;
  if (wanted.preferredSource !== undefined && wanted.preferredSource !== standing.preferredSource) return false;
  return wanted.attributes.every(({ type, data }) =>
    standing.attributes.some((attribute) => attribute.type === type && attribute.data === data),
  );
}

function priorityOf({ family, priority = 0 }: Route): number {
  return family === "ipv6" && priority === 0 ? IP6_RT_PRIO_USER : priority;
}

function hopsOf(route: Route): readonly string[] {
  const single = { ifindex: route.ifindex ?? 0, flags: route.flags, weight: 1, gateway: route.gateway };
  return (route.nextHops ?? [single]).map(hopKey).sort();
}

function hopKey({
  ifindex,
  flags,
  weight,
  gateway = "",
}: Omit<NextHop, "attributes" | "gateway"> & { gateway?: string | undefined }): string {
  return `${ifindex} ${flags} ${weight} ${gateway}`;
}

function sameHops(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((hop, at) => hop === b[at]);
}
