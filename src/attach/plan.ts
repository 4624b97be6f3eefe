/** From configuration and what the link is on the host to the steps in the pod: pure. */

import type { AttachPlan } from "../claims/record.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { LinkSnapshot } from "../kernel/calls.ts";
import type { LinkStep } from "../kernel/steps.ts";
import { ClaimError } from "../lib/errors.ts";
import type { Address } from "../netlink/address.ts";
import { NUD_PERMANENT } from "../netlink/neighbor.ts";
import {
  type Route,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTN_UNICAST,
  RTPROT_STATIC,
} from "../netlink/route.ts";
import { FR_ACT_TO_TBL, type Rule } from "../netlink/rule.ts";
import { inDependencyOrder } from "./restore.ts";

const IFA_F_PERMANENT = 0x80;
const IFA_F_NOPREFIXROUTE = 0x200;

/**
 * Steps in the order the kernel wants: hardware, name, addresses, up, then what needs the link up. Without configured
 * addresses the link keeps its own permanent global ones, with its routes and neighbours, as DRANET does.
 */
export function planAttach(config: NetworkConfig, host: LinkSnapshot): AttachPlan {
  const { name, mtu, hardwareAddr, addresses } = config.interface ?? {};
  const ifname = name ?? host.link.ifname;
  const keepsOwn = addresses === undefined || addresses.length === 0;
  return {
    ifname,
    steps: [
      ...(hardwareAddr === undefined ? [] : [{ op: "setAddress", address: hardwareAddr } as const]),
      ...(mtu === undefined ? [] : [{ op: "setMtu", mtu } as const]),
      { op: "rename", ifname },
      ...(keepsOwn ? host.addresses.filter(isPermanentGlobal).map(asConfigured) : addresses.map(parseAddress)).map(
        (address): LinkStep => ({ op: "addAddress", address }),
      ),
      { op: "up" },
      ...inDependencyOrder([
        ...(keepsOwn ? host.routes.flatMap((route) => ownPart(route, host.link.ifindex)) : []),
        ...(config.routes ?? []).map(asRoute),
      ]).map((route): LinkStep => ({ op: "addRoute", route })),
      ...(config.rules ?? []).flatMap(asRules).map((rule): LinkStep => ({ op: "addRule", rule })),
      ...(keepsOwn ? host.neighbors : []).map((neighbor): LinkStep => ({ op: "addNeighbor", neighbor })),
      ...(config.neighbors ?? []).map(
        ({ destination, hardwareAddr: address }): LinkStep => ({
          op: "addNeighbor",
          neighbor: { ifindex: 0, family: familyOf(destination), destination, address, state: NUD_PERMANENT, flags: 0 },
        }),
      ),
    ],
  };
}

function isPermanentGlobal(address: Address): boolean {
  return address.scope === RT_SCOPE_UNIVERSE && (address.flags & IFA_F_PERMANENT) !== 0;
}

/** A label carries the old interface name. */
function asConfigured({ label: _, ...address }: Address): Address {
  return { ...address, flags: address.flags & IFA_F_NOPREFIXROUTE };
}

function parseAddress(cidr: string): Address {
  const [local = "", length = ""] = cidr.split("/");
  return {
    ifindex: 0,
    family: familyOf(local),
    local,
    prefixLength: Number(length),
    scope: RT_SCOPE_UNIVERSE,
    flags: 0,
  };
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** Of a multipath route only the hops over this link can follow it. */
function ownPart(route: Route, ifindex: number): readonly Route[] {
  if (route.nextHops === undefined) return [route];
  const { nextHops, ...rest } = route;
  const own = nextHops.filter((hop) => hop.ifindex === ifindex);
  return own.length === 0 ? [] : [{ ...rest, nextHops: own }];
}

function asRoute(route: NonNullable<NetworkConfig["routes"]>[number]): Route {
  return {
    family: familyOf(route.destination),
    destination: route.destination,
    table: route.table === undefined || route.table === 0 ? RT_TABLE_MAIN : route.table,
    protocol: RTPROT_STATIC,
    scope: route.scope === RT_SCOPE_LINK ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
    type: RTN_UNICAST,
    tos: 0,
    flags: 0,
    attributes: [],
    ...(route.gateway === undefined ? {} : { gateway: route.gateway }),
    ...(route.source === undefined ? {} : { preferredSource: route.source }),
  };
}

/** A rule without source and destination is of both families. */
function asRules(rule: NonNullable<NetworkConfig["rules"]>[number]): readonly Rule[] {
  const { source, destination, priority, table } = rule;
  const prefix = source ?? destination;
  const families = prefix === undefined ? (["ipv4", "ipv6"] as const) : [familyOf(prefix)];
  return families.map((family) => ({
    family,
    priority: priority ?? 0,
    table: table === undefined || table === 0 ? RT_TABLE_MAIN : table,
    action: FR_ACT_TO_TBL,
    tos: 0,
    flags: 0,
    attributes: [],
    ...(source === undefined ? {} : { source }),
    ...(destination === undefined ? {} : { destination }),
  }));
}

/** Refuses plans of one pod that want the same name twice. */
export function checkNames(plans: readonly { readonly device: string; readonly plan: AttachPlan }[]): void {
  const owners = new Map<string, string>();
  for (const { device, plan } of plans) {
    const owner = owners.get(plan.ifname);
    if (owner !== undefined)
      throw new ClaimError(
        `devices ${owner} and ${device} would both be named ${plan.ifname} in the pod: give one another interface.name in its configuration`,
      );
    owners.set(plan.ifname, device);
  }
}
