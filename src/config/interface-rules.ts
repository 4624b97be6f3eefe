/** What fields of `interface` ask of each other, as DRANET has it (pkg/apis/validation.go) and the kernel wants it. */

import type { InterfaceConfig } from "./interface.ts";
import { familyOf } from "./ip.ts";
import type { FieldRule } from "./refine-all.ts";

/** IPv6's least MTU, RFC 8200: below it the kernel takes IPv6 off the link, settings included. */
export const MIN_IPV6_MTU = 1280;

/** Fields that are IPv6 sysctls of the link. */
export const IPV6_FIELDS = [
  "acceptRA",
  "dadTransmits",
  "routerSolicitationDelay",
  "routerSolicitationInterval",
  "disableIPv6",
  "addrGenMode",
] as const satisfies readonly (keyof InterfaceConfig)[];

/** Values may have problems of their own, then reported elsewhere. */
export type Given = { readonly [Key in keyof InterfaceConfig]?: unknown };

export function wantsDhcp({ dhcp, addressing }: Given): boolean {
  return dhcp === true || addressing === "DHCP";
}

export function isSubInterface({ type }: Given): boolean {
  return type !== undefined && type !== "Passthrough";
}

function hasAddress({ addresses }: Given, family?: "ipv6"): boolean {
  if (!Array.isArray(addresses)) return false;
  return addresses.some((address) => family === undefined || familyOf(address) === family);
}

export const INTERFACE_RULES: readonly FieldRule<Given>[] = [
  {
    path: "addresses",
    holds: (link) => !(wantsDhcp(link) && hasAddress(link)),
    error: "cannot be given together with DHCP",
  },
  {
    path: "dhcp",
    holds: ({ dhcp, addressing }) =>
      typeof dhcp !== "boolean" || addressing === undefined || dhcp === (addressing === "DHCP"),
    error: "contradicts addressing, which alone would do",
  },
  {
    path: "hardwareAddr",
    holds: ({ type, hardwareAddr }) => type !== "IPVLAN" || hardwareAddr === undefined,
    error: "cannot be given with type IPVLAN, whose links share their parent's address",
  },
  {
    path: "type",
    holds: (link) => link.type !== "IPVLAN" || !wantsDhcp(link),
    error: "cannot be IPVLAN with DHCP, since the server tells links apart by their hardware address",
  },
  {
    path: "type",
    holds: (link) => link.type !== "VLAN" || !wantsDhcp(link),
    error: "cannot be VLAN with DHCP, since the lease is taken over the device itself, before there is the VLAN",
  },
  {
    path: "addresses",
    holds: (link) => link.addressing !== "Unnumbered" || !hasAddress(link),
    error: "cannot be given with addressing Unnumbered",
  },
  {
    path: "addresses",
    holds: (link) => link.addressing !== "SLAAC" || !hasAddress(link, "ipv6"),
    error: "cannot hold an IPv6 address with addressing SLAAC",
  },
  {
    path: "acceptRA",
    holds: ({ addressing, acceptRA }) => addressing !== "SLAAC" || acceptRA !== 0,
    error: "cannot be 0 with addressing SLAAC, which lives on router advertisements",
  },
  {
    path: "disableIPv6",
    holds: ({ addressing, disableIPv6 }) => addressing !== "SLAAC" || disableIPv6 !== true,
    error: "cannot be true with addressing SLAAC",
  },
  {
    path: "addrGenMode",
    holds: ({ addressing, addrGenMode }) => addressing !== "SLAAC" || (addrGenMode !== 1 && addrGenMode !== 2),
    error: "cannot be 1 or 2 with addressing SLAAC, which needs an address that is made without a secret",
  },
  {
    path: "addrGenMode",
    holds: ({ addressing, type, addrGenMode }) => addressing !== "SLAAC" || type !== "IPVLAN" || addrGenMode !== 0,
    error: "cannot be 0 with SLAAC on IPVLAN, whose links share one hardware address",
  },
  {
    path: "addresses",
    holds: (link) => link.disableIPv6 !== true || !hasAddress(link, "ipv6"),
    error: "cannot hold an IPv6 address while disableIPv6 is true",
  },
  {
    path: "mtu",
    holds: (link) =>
      typeof link.mtu !== "number" ||
      link.mtu >= MIN_IPV6_MTU ||
      IPV6_FIELDS.every((field) => link[field] === undefined),
    error: `must be at least ${MIN_IPV6_MTU} with ${IPV6_FIELDS.join(", ")}: below that the link has no IPv6`,
  },
];
