/** What a link needs to be as it was when it left: a comparison, without touching the kernel. */

import type { LinkSnapshot } from "../kernel/calls.ts";
import type { LinkStep, LinkSysctl } from "../kernel/steps.ts";
import { type Address, IFA_F_DADFAILED, IFA_F_PERMANENT, IFA_F_TENTATIVE } from "../netlink/address.ts";
import { IFF_UP } from "../netlink/link.ts";
import type { Route } from "../netlink/route.ts";
import { restoreEthtool } from "./ethtool.ts";
import { withUsableSources } from "./route-sources.ts";

const IFA_F_DEPRECATED = 0x20;
const IFA_F_SECONDARY = 0x01;
/** What the kernel says of an address, as against what its owner asked for. */
const IFA_F_STATES = IFA_F_SECONDARY | IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_PERMANENT;
const IFA_F_MANAGETEMPADDR = 0x100;
const IFAPROT_KERNEL_LO = 1;
const IFAPROT_KERNEL_RA = 2;
const IFAPROT_KERNEL_LL = 3;

/**
 * The steps that turn `now`, the link right after its move home, into `before`. Identity first (name, addresses of the
 * hardware, sizes), then what needs the name (sysctls), then layer 3: addresses before routes, narrow routes before
 * those that need them. `nowMs` shortens lifetimes by the time away; what has expired stays away.
 */
export function restoreSteps(before: LinkSnapshot, now: LinkSnapshot, nowMs: number): readonly LinkStep[] {
  const awaySeconds = Math.max(0, Math.round((nowMs - before.takenAtMs) / 1000));
  const up = (before.link.flags & IFF_UP) !== 0;
  const sysctls = sysctlSteps(before.sysctls, now.sysctls);
  const addresses = before.addresses.filter(isRestorable);
  const stepsOf = (family: Address["family"]) =>
    addresses.filter((address) => address.family === family).map((address) => addressStep(address, awaySeconds));
  return withUsableSources([
    ...identitySteps(before, now),
    ...restoreEthtool(before.ethtool, now.ethtool),
    // Before layer 3, which a VRF takes from a link that joins it.
    ...(before.masterName === undefined ? [] : [{ op: "joinMaster", masterName: before.masterName } as const]),
    ...sysctls.filter((step) => !isLostWhenUp(step)),
    ...stepsOf("ipv4").flat(),
    { op: up ? "up" : "down" } as const,
    ...sysctls.filter(isLostWhenUp),
    // When a link comes up the kernel makes the routes of prefixes for permanent addresses only. It lists the last first.
    ...stepsOf("ipv6").toReversed().flat(),
    ...(up ? inDependencyOrder(before.routes).map((route): LinkStep => ({ op: "addRoute", route })) : []),
    ...before.neighbors.map((neighbor): LinkStep => ({ op: "addNeighbor", neighbor })),
  ]);
}

function identitySteps(before: LinkSnapshot, now: LinkSnapshot): LinkStep[] {
  const was = before.link;
  const is = now.link;
  const steps: LinkStep[] = [];
  if (is.ifname !== was.ifname) steps.push({ op: "rename", ifname: was.ifname });
  for (const altname of is.altnames) if (!was.altnames.includes(altname)) steps.push({ op: "removeAltname", altname });
  for (const altname of was.altnames) if (!is.altnames.includes(altname)) steps.push({ op: "addAltname", altname });
  if ((is.alias ?? "") !== (was.alias ?? "")) steps.push({ op: "setAlias", alias: was.alias ?? "" });
  if (was.address !== undefined && is.address !== was.address) steps.push({ op: "setAddress", address: was.address });
  if (is.mtu !== was.mtu) steps.push({ op: "setMtu", mtu: was.mtu });
  if (is.txQueueLen !== was.txQueueLen) steps.push({ op: "setTxQueueLen", txQueueLen: was.txQueueLen });
  if (is.group !== was.group) steps.push({ op: "setGroup", group: was.group });
  const sizes = changedSizes(was, is);
  if (sizes !== undefined) steps.push(sizes);
  return steps;
}

const SIZES = ["gsoMaxSize", "gsoMaxSegs", "groMaxSize", "gsoIpv4MaxSize", "groIpv4MaxSize"] as const;

function changedSizes(was: LinkSnapshot["link"], is: LinkSnapshot["link"]): LinkStep | undefined {
  const changed = SIZES.filter((size) => was[size] !== undefined && was[size] !== is[size]);
  return changed.length === 0
    ? undefined
    : { op: "setOffloadSizes", ...Object.fromEntries(changed.map((size) => [size, was[size]])) };
}

function sysctlSteps(before: readonly LinkSysctl[], now: readonly LinkSysctl[]): LinkStep[] {
  const path = (sysctl: LinkSysctl) => `${sysctl.family}/${sysctl.table}/${sysctl.key}`;
  const current = new Map(now.map((sysctl) => [path(sysctl), sysctl.value]));
  return before
    .filter((sysctl) => current.get(path(sysctl)) !== sysctl.value)
    .map((sysctl) => ({ op: "setSysctl", sysctl }));
}

/** The kernel sets IPv6's MTU to the link's when the link comes up. */
function isLostWhenUp(step: LinkStep): boolean {
  return step.op === "setSysctl" && step.sysctl.family === "ipv6" && step.sysctl.key === "mtu";
}

/** Not what routers or the kernel itself assign: those come back by themselves. */
function isRestorable(address: Address): boolean {
  const isKernels =
    address.protocol === IFAPROT_KERNEL_LO ||
    address.protocol === IFAPROT_KERNEL_RA ||
    address.protocol === IFAPROT_KERNEL_LL;
  const isTemporary = address.family === "ipv6" && (address.flags & IFA_F_SECONDARY) !== 0;
  const isAutomatic =
    address.family === "ipv6" && (address.flags & IFA_F_MANAGETEMPADDR) !== 0 && address.validSeconds !== undefined;
  return !isKernels && !isTemporary && !isAutomatic;
}

function addressStep(address: Address, awaySeconds: number): LinkStep[] {
  const { validSeconds, preferredSeconds, ...rest } = address;
  const flags = address.flags & ~IFA_F_STATES;
  if (validSeconds === undefined) return [{ op: "addAddress", address: { ...rest, flags } }];
  const left = validSeconds - awaySeconds;
  if (left <= 0) return [];
  return [
    {
      op: "addAddress",
      address: {
        ...rest,
        flags,
        validSeconds: left,
        preferredSeconds: Math.max(0, (preferredSeconds ?? validSeconds) - awaySeconds),
      },
    },
  ];
}

/** Routes on the link itself before those whose gateway they make reachable. */
export function inDependencyOrder(routes: readonly Route[]): readonly Route[] {
  const rank = (route: Route) => (route.gateway === undefined && route.nextHops === undefined ? 0 : 1);
  return [...routes].sort((a, b) => rank(a) - rank(b) || b.scope - a.scope);
}
