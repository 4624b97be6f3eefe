/** Settings of the link itself: offload sizes and sysctls, and what this host cannot do of them. Pure. */

import type { InterfaceConfig } from "../config/interface.ts";
import { IPV6_FIELDS, MIN_IPV6_MTU } from "../config/interface-rules.ts";
import type { LinkSnapshot } from "../kernel/calls.ts";
import type { LinkStep } from "../kernel/steps.ts";
import { ClaimError } from "../lib/errors.ts";
import type { Link } from "../netlink/link.ts";

type Sizes = Omit<Extract<LinkStep, { op: "setOffloadSizes" }>, "op">;

/** Field of the configuration → of the link, and the first kernel that has it. */
const SIZES = [
  ["gsoMaxSize", "gsoMaxSize", "4.16"],
  ["groMaxSize", "groMaxSize", "5.19"],
  ["gsoIPv4MaxSize", "gsoIpv4MaxSize", "6.3"],
  ["groIPv4MaxSize", "groIpv4MaxSize", "6.3"],
] as const satisfies readonly (readonly [keyof InterfaceConfig, keyof Sizes & keyof Link, string])[];

/** GRO_MAX_SIZE (linux/netdevice.h). */
const MAX_GRO_SIZE = 8 * 65_535;

/** Throws a ClaimError for a size that the kernel would refuse or, being too old, would pass over. */
export function sizeSteps(config: InterfaceConfig, { link }: LinkSnapshot): readonly LinkStep[] {
  const sizes: { -readonly [Key in keyof Sizes]: Sizes[Key] } = {};
  for (const [field, size, since] of SIZES) {
    const wanted = config[field];
    if (wanted === undefined) continue;
    if (link[size] === undefined)
      throw new ClaimError(`interface.${field} needs Linux ${since} or later, which this node does not have`);
    const most = field.startsWith("gro") ? MAX_GRO_SIZE : link.tsoMaxSize;
    if (most !== undefined && wanted > most)
      throw new ClaimError(`interface.${field} is ${wanted}, but ${link.ifname} takes at most ${most}`);
    sizes[size] = wanted;
  }
  return Object.keys(sizes).length === 0 ? [] : [{ op: "setOffloadSizes", ...sizes }];
}

/** The PF would drop what is larger, some of them without a word. */
export function checkVfMtu(mtu: number | undefined, vf: Link, pf: Link | undefined): void {
  if (mtu !== undefined && pf !== undefined && mtu > pf.mtu)
    throw new ClaimError(
      `interface.mtu is ${mtu}, but VF ${vf.ifname} has at most the MTU of its PF ${pf.ifname}, which is ${pf.mtu}: raise that one first`,
    );
}

/** Values that mean "leave IPv6 alone": they hold where there is no IPv6 at all. */
const HOLDS_WITHOUT_IPV6: readonly (readonly [keyof InterfaceConfig, unknown])[] = [
  ["acceptRA", 0],
  ["disableIPv6", true],
];
const IPV6_KEYS = {
  acceptRA: "accept_ra",
  dadTransmits: "dad_transmits",
  routerSolicitationDelay: "router_solicitation_delay",
  routerSolicitationInterval: "router_solicitation_interval",
  disableIPv6: "disable_ipv6",
  addrGenMode: "addr_gen_mode",
} as const satisfies Readonly<Record<(typeof IPV6_FIELDS)[number], string>>;

/** For before the link comes up. Throws a ClaimError where IPv6 settings are wanted that the link cannot have. */
export function sysctlSteps(config: InterfaceConfig, host: LinkSnapshot): readonly LinkStep[] {
  const { forwarding, arpIgnore, arpAnnounce } = config;
  return [
    ...(forwarding === undefined ? [] : forwardingSteps(forwarding ? "1" : "0")),
    ...(arpIgnore === undefined ? [] : [sysctl("ipv4", "arp_ignore", String(arpIgnore))]),
    ...(arpAnnounce === undefined ? [] : [sysctl("ipv4", "arp_announce", String(arpAnnounce))]),
    ...IPV6_FIELDS.flatMap((field) => {
      const value = config[field];
      if (value === undefined) return [];
      const isOptional = HOLDS_WITHOUT_IPV6.some(([name, harmless]) => name === field && harmless === value);
      if (!isOptional) requireIpv6(`interface.${field}`, config, host);
      return [sysctl("ipv6", IPV6_KEYS[field], String(Number(value)), isOptional)];
    }),
  ];
}

/**
 * IPv6 forwards only where `all` says so, which is the pod's affair, or from Linux 6.17 on where `force_forwarding` does:
 * net.ipv6.conf in the kernel's ip-sysctl.rst.
 */
function forwardingSteps(value: string): readonly LinkStep[] {
  return [
    sysctl("ipv4", "forwarding", value),
    sysctl("ipv6", "forwarding", value, true),
    sysctl("ipv6", "force_forwarding", value, true),
  ];
}

function sysctl(family: "ipv4" | "ipv6", key: string, value: string, optional = false): LinkStep {
  return { op: "setSysctl", sysctl: { family, table: "conf", key, value }, ...(optional ? { optional: true } : {}) };
}

/** Throws a ClaimError when the link will have no IPv6 in the pod. `what` names what needs it. */
export function requireIpv6(what: string, { mtu }: InterfaceConfig, { link, sysctls }: LinkSnapshot): void {
  const effective = mtu ?? link.mtu;
  if (effective < MIN_IPV6_MTU)
    throw new ClaimError(
      `${what} needs IPv6, and IPv6 an MTU of at least ${MIN_IPV6_MTU}: ${link.ifname} would have ${effective}; set interface.mtu`,
    );
  // With a smaller MTU the host's link has no IPv6 either, which says nothing of the kernel.
  const isKnown = link.mtu >= MIN_IPV6_MTU && sysctls.length > 0;
  if (isKnown && !sysctls.some(({ family }) => family === "ipv6"))
    throw new ClaimError(`${what} needs IPv6, which is off in the kernel of this node`);
}
