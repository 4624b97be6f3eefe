/** One step on one link. Each can be run again and then changes nothing. */

import { SysError } from "../../ffi/sys-error.ts";
import { NotSupportedError } from "../lib/errors.ts";
import { putAddress, removeAddress } from "../netlink/addresses.ts";
import { readFeatures, setFeatures, setPrivateFlags, setSettings } from "../netlink/ethtool.ts";
import { IFF_UP } from "../netlink/link.ts";
import {
  addAltname,
  changeLink,
  getLink,
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
import { detachPrograms } from "./detach-programs.ts";
import { accepting, EADDRNOTAVAIL, EBUSY, EEXIST, EINVAL, ENODEV, ENOENT, ESRCH, isErrno } from "./errnos.ts";
import { writeLinkSysctl } from "./link-sysctls.ts";
import { satisfies } from "./route-compare.ts";
import type { StepTarget } from "./step-target.ts";
import type { LinkStep } from "./steps.ts";
import { joinVrf } from "./vrf.ts";

/** RTN_BLACKHOLE, UNREACHABLE, PROHIBIT and THROW have no link. */
const FIRST_TYPE_WITHOUT_LINK = 6;

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
    case "joinMaster":
      joinMaster(socket, ifindex, step.masterName);
      break;
    case "joinVrf":
      joinVrf(target, step);
      break;
    case "detachPrograms":
      detachAll(target);
      break;
    case "setFeatures":
      target.withGeneric((generic) => applyFeatures(generic, ifindex, step));
      break;
    case "setPrivateFlags":
      target.withGeneric((generic) => setPrivateFlags(generic, ifindex, step.flags));
      break;
    case "setSettings":
      target.withGeneric((generic) => setSettings(generic, ifindex, step.group, step.values));
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

function joinMaster(socket: NetlinkSocket, ifindex: number, masterName: string): void {
  const master = getLink(socket, { ifname: masterName });
  if (master === undefined) throw new SysError("RTM_GETLINK", ENODEV, `link ${masterName}`);
  if (requireLink(socket, ifindex).master !== master.ifindex) changeLink(socket, ifindex, { master: master.ifindex });
}

function detachAll(target: StepTarget): void {
  const { problems } = detachPrograms({ ...target, isUnwanted: () => true });
  if (problems.length > 0) throw new Error(problems.join("; "));
}

function applyFeatures(
  socket: NetlinkSocket,
  ifindex: number,
  { features, isWish }: LinkStep & { readonly op: "setFeatures" },
): void {
  const missed = setFeatures(socket, ifindex, features);
  const { wanted } = missed.length > 0 && isWish === true ? readFeatures(socket, ifindex) : { wanted: undefined };
  const failed = missed.filter((name) => wanted?.[name] !== features[name]);
  if (failed.length > 0)
    throw new NotSupportedError(
      `changing ${failed.join(", ")}`,
      "the driver, or another feature, keeps them as they are",
    );
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
