/** Addresses, routes, rules and neighbours as the configuration writes them → as the kernel takes them. Pure. */

import type { NetworkConfig } from "../config/network-config.ts";
import type { Address } from "../netlink/address.ts";
import { broadcastOf } from "../netlink/ip.ts";
import { type Neighbor, NUD_PERMANENT } from "../netlink/neighbor.ts";
import {
  type Route,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTN_UNICAST,
  RTPROT_STATIC,
} from "../netlink/route.ts";
import { FR_ACT_TO_TBL, type Rule } from "../netlink/rule.ts";

type Item<Key extends keyof NetworkConfig> =
  NonNullable<NetworkConfig[Key]> extends readonly (infer One)[] ? One : never;

export function asAddress(cidr: string): Address {
  const [local = "", length = ""] = cidr.split("/");
  const family = familyOf(local);
  const prefixLength = Number(length);
  const broadcast = family === "ipv4" ? broadcastOf(local, prefixLength) : undefined;
  return {
    ifindex: 0,
    family,
    local,
    prefixLength,
    // As DRANET and CNI plugins give it; the kernel gives none by itself.
    ...(broadcast === undefined ? {} : { broadcast }),
    scope: RT_SCOPE_UNIVERSE,
    flags: 0,
  };
}

export function asRoute(route: Item<"routes">): Route {
  return {
    family: familyOf(route.destination),
    destination: route.destination,
    table: tableOf(route),
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
export function asRules(rule: Item<"rules">): readonly Rule[] {
  const { source, destination, priority } = rule;
  const prefix = source ?? destination;
  const families = prefix === undefined ? (["ipv4", "ipv6"] as const) : [familyOf(prefix)];
  return families.map((family) => ({
    family,
    priority: priority ?? 0,
    table: tableOf(rule),
    action: FR_ACT_TO_TBL,
    tos: 0,
    flags: 0,
    attributes: [],
    ...(source === undefined ? {} : { source }),
    ...(destination === undefined ? {} : { destination }),
  }));
}

export function asNeighbor({ destination, hardwareAddr: address }: Item<"neighbors">): Neighbor {
  return { ifindex: 0, family: familyOf(destination), destination, address, state: NUD_PERMANENT, flags: 0 };
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return address.includes(":") ? "ipv6" : "ipv4";
}

function tableOf({ table }: { readonly table?: number }): number {
  return table === undefined || table === 0 ? RT_TABLE_MAIN : table;
}
