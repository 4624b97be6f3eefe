/** Routes of all tables: list, look up, change. */

import { NlMessage } from "../../ffi/libnl.ts";
import { u32 } from "./attribute-writer.ts";
import * as k from "./constants.ts";
import { addressBits, FAMILY_NUMBER, type IpFamily, parseIp } from "./ip.ts";
import { goesByObject, spellOut } from "./nexthops.ts";
import { type Route, RTN_UNICAST } from "./route.ts";
import { decodeRoute, destinationLength, encodeRoute } from "./route-codec.ts";
import type { Answer, NetlinkSocket } from "./socket.ts";

const FAMILIES = ["ipv4", "ipv6"] as const;
/** In struct rtmsg. */
const RTMSG_TYPE_OFFSET = 7;

export interface RouteFilter {
  readonly family?: IpFamily;
  /** Routes with a next hop over this link. */
  readonly ifindex?: number;
  readonly table?: number;
  /** Only routes of type RTN_UNICAST with prefix length 0. */
  readonly onlyDefault?: boolean;
}

/** Routes that the kernel has in its tables, without its caches. */
export function listRoutes(socket: NetlinkSocket, filter: RouteFilter = {}): Route[] {
  const families = filter.family === undefined ? FAMILIES : [filter.family];
  const read = (answer: Answer) => {
    if (answer.type !== k.RTM_NEWROUTE) return undefined;
    if (filter.onlyDefault === true && destinationLength(answer.payload) !== 0) return undefined;
    const route = decodeRoute(answer.payload);
    return route !== undefined && (goesByObject(route) || matches(route, filter)) ? route : undefined;
  };
  const found = families.flatMap((family) =>
    socket.dump("RTM_GETROUTE", `${family} routes`, () => dumpMessage(family, filter), read),
  );
  return spellOut(socket, found).filter((route) => matches(route, filter));
}

function dumpMessage(family: IpFamily, { ifindex, table, onlyDefault }: RouteFilter): NlMessage {
  const header = new Uint8Array(12);
  header[0] = FAMILY_NUMBER[family];
  // Each address brings some of other types, and each answer costs more than the kernel's look at it.
  if (onlyDefault === true) header[RTMSG_TYPE_OFFSET] = RTN_UNICAST;
  const message = new NlMessage(k.RTM_GETROUTE, k.NLM_F_REQUEST | k.NLM_F_DUMP).append(header);
  // The kernel refuses to dump a table that does not exist, so a table is sought here.
  if (ifindex !== undefined && table === undefined) message.put(k.RTA_OIF, u32(ifindex));
  return message;
}

/** Kernels before 4.20 do not know the filters. */
function matches(route: Route, { ifindex, table, onlyDefault }: RouteFilter): boolean {
  if (onlyDefault === true && route.type !== RTN_UNICAST) return false;
  const isOver = route.ifindex === ifindex || route.nextHops?.some((hop) => hop.ifindex === ifindex) === true;
  return (ifindex === undefined || isOver) && (table === undefined || route.table === table);
}

/** Index of the link over which the kernel would send to `destination`. Throws SysError ENETUNREACH when none. */
export function routeTo(socket: NetlinkSocket, family: IpFamily, destination: string): number | undefined {
  const header = new Uint8Array(12);
  header[0] = FAMILY_NUMBER[family];
  header[1] = addressBits(family);
  using message = new NlMessage(k.RTM_GETROUTE, k.NLM_F_REQUEST);
  message.append(header).put(k.RTA_DST, parseIp(family, destination));
  const found = socket.get("RTM_GETROUTE", `route to ${destination}`, message, (answer) =>
    answer.type === k.RTM_NEWROUTE ? decodeRoute(answer.payload) : undefined,
  );
  return found?.ifindex;
}

/** Throws SysError EEXIST when there is a route with this destination, table, priority and type of service. */
export function addRoute(socket: NetlinkSocket, route: Route): void {
  using message = new NlMessage(k.RTM_NEWROUTE, k.NLM_F_REQUEST | k.NLM_F_CREATE | k.NLM_F_EXCL);
  encodeRoute(route, message);
  socket.request("RTM_NEWROUTE", nameOf(route), message);
}

/** Throws SysError ESRCH when there is no such route. */
export function removeRoute(socket: NetlinkSocket, route: Route): void {
  using message = new NlMessage(k.RTM_DELROUTE, k.NLM_F_REQUEST);
  encodeRoute(route, message);
  socket.request("RTM_DELROUTE", nameOf(route), message);
}

function nameOf({ destination, table }: Route): string {
  return `route ${destination} of table ${table}`;
}
