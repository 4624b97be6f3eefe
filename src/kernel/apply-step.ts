/** One step on one link. Each can be run again and then changes nothing. */

import { putAddress, removeAddress } from "../netlink/addresses.ts";
import { IFF_UP } from "../netlink/link.ts";
import {
  addAltname,
  changeLink,
  removeAltname,
  requireLink,
  setLinkAlias,
  setLinkUp,
  setOffloadSizes,
} from "../netlink/links.ts";
import { putNeighbor, removeNeighbor } from "../netlink/neighbors.ts";
import type { Route } from "../netlink/route.ts";
import { addRoute, listRoutes, removeRoute } from "../netlink/routes.ts";
import { addRule, removeRule } from "../netlink/rules.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { accepting, EADDRNOTAVAIL, EBUSY, EEXIST, EINVAL, ENODEV, ENOENT, ESRCH, isErrno } from "./errnos.ts";
import { writeLinkSysctl } from "./link-sysctls.ts";
import { satisfies } from "./route-compare.ts";
import type { LinkStep } from "./steps.ts";

/** RTN_BLACKHOLE, UNREACHABLE, PROHIBIT and THROW have no link. */
const FIRST_TYPE_WITHOUT_LINK = 6;

export interface StepTarget {
  readonly socket: NetlinkSocket;
  readonly ifindex: number;
  /** Routes that name this index mean the link. */
  readonly wasIfindex: number | undefined;
  /** Runs a task with the thread in the link's namespace. */
  readonly inside: (task: () => void) => void;
}

/** Throws SysError when the kernel refuses, ProtocolError when a text of the step is no address. */
export function applyStep(target: StepTarget, step: LinkStep): void {
  const { socket, ifindex } = target;
  switch (step.op) {
    case "rename":
      rename(socket, ifindex, step.ifname);
      break;
    case "setAddress":
      setAddress(socket, ifindex, step.address);
      break;
    case "setMtu":
      changeLink(socket, ifindex, { mtu: step.mtu });
      break;
    case "setTxQueueLen":
      changeLink(socket, ifindex, { txQueueLen: step.txQueueLen });
      break;
    case "setGroup":
      changeLink(socket, ifindex, { group: step.group });
      break;
    case "setAlias":
      setLinkAlias(socket, ifindex, step.alias);
      break;
    case "addAltname":
      ensureAltname(socket, ifindex, step.altname);
      break;
    case "removeAltname":
      accepting([ENOENT, EINVAL], () => removeAltname(socket, ifindex, step.altname));
      break;
    case "setOffloadSizes":
      setOffloadSizes(socket, ifindex, step);
      break;
    case "setMaster":
      changeLink(socket, ifindex, { master: step.master });
      break;
    case "setSysctl": {
      const { ifname } = requireLink(socket, ifindex);
      const accepted = step.optional === true ? [ENOENT] : [];
      accepting(accepted, () => target.inside(() => writeLinkSysctl(ifname, step.sysctl)));
      break;
    }
    case "up":
      setLinkUp(socket, ifindex, true);
      break;
    case "down":
      setLinkUp(socket, ifindex, false);
      break;
    case "addAddress":
      putAddress(socket, ifindex, step.address);
      break;
    case "removeAddress":
      accepting([EADDRNOTAVAIL], () => removeAddress(socket, ifindex, step.address));
      break;
    case "addRoute":
      ensureRoute(socket, ownRoute(step.route, target));
      break;
    case "removeRoute":
      accepting([ESRCH, ENODEV], () => removeRoute(socket, ownRoute(step.route, target)));
      break;
    case "addRule":
      accepting([EEXIST], () => addRule(socket, step.rule));
      break;
    case "removeRule":
      accepting([ENOENT], () => removeRule(socket, step.rule));
      break;
    case "addNeighbor":
      putNeighbor(socket, ifindex, step.neighbor);
      break;
    case "removeNeighbor":
      accepting([ENOENT], () => removeNeighbor(socket, ifindex, step.neighbor));
      break;
  }
}

/** The kernel does nothing for the name that the link has, and refuses one that it has as an altname. */
function rename(socket: NetlinkSocket, ifindex: number, ifname: string): void {
  try {
    changeLink(socket, ifindex, { ifname });
  } catch (error) {
    if (!isErrno(error, EEXIST) || !requireLink(socket, ifindex).altnames.includes(ifname)) throw error;
    removeAltname(socket, ifindex, ifname);
    changeLink(socket, ifindex, { ifname });
  }
}

/** Some drivers change their address only while the link is down. */
function setAddress(socket: NetlinkSocket, ifindex: number, address: string): void {
  const link = requireLink(socket, ifindex);
  if (link.address === address) return;
  try {
    changeLink(socket, ifindex, { address });
  } catch (error) {
    if (!isErrno(error, EBUSY) || (link.flags & IFF_UP) === 0) throw error;
    setLinkUp(socket, ifindex, false);
    try {
      changeLink(socket, ifindex, { address });
    } finally {
      setLinkUp(socket, ifindex, true);
    }
  }
}

function ensureAltname(socket: NetlinkSocket, ifindex: number, altname: string): void {
  try {
    addAltname(socket, ifindex, altname);
  } catch (error) {
    if (isErrno(error, EEXIST) && requireLink(socket, ifindex).altnames.includes(altname)) return;
    throw error;
  }
}

function ensureRoute(socket: NetlinkSocket, route: Route): void {
  try {
    addRoute(socket, route);
  } catch (error) {
    if (!isErrno(error, EEXIST)) throw error;
    const standing = listRoutes(socket, { family: route.family, table: route.table });
    if (!standing.some((candidate) => satisfies(candidate, route))) throw error;
  }
}

/** A route without a link, or over the link's former index, is one over this link. */
export function ownRoute(route: Route, target: Pick<StepTarget, "ifindex" | "wasIfindex">): Route {
  const own = (ifindex: number) => (ifindex === target.wasIfindex ? target.ifindex : ifindex);
  if (route.nextHops !== undefined)
    return { ...route, nextHops: route.nextHops.map((hop) => ({ ...hop, ifindex: own(hop.ifindex) })) };
  if (route.ifindex !== undefined) return { ...route, ifindex: own(route.ifindex) };
  return route.type >= FIRST_TYPE_WITHOUT_LINK ? route : { ...route, ifindex: target.ifindex };
}
