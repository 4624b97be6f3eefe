/** From configuration and what the link is on the host to the steps in the pod: pure. */

import type { AttachPlan, HeldLease } from "../claims/record.ts";
import { isSubInterface, wantsDhcp } from "../config/interface-rules.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { LinkSnapshot } from "../kernel/calls.ts";
import type { LinkStep } from "../kernel/steps.ts";
import { ClaimError } from "../lib/errors.ts";
import type { Rule } from "../netlink/rule.ts";
import { planChild } from "./child-plan.ts";
import { asAddress, asNeighbor, asRoute, asRules } from "./configured.ts";
import { configuredEthtool } from "./ethtool.ts";
import { type Inherited, inheritedRules, inheritedState, ownTables } from "./inherited.ts";
import { leaseAddress, leaseMtu, leaseRoutes } from "./leased.ts";
import { requireIpv6, sizeSteps, sysctlSteps } from "./link-settings.ts";
import type { SandboxRef } from "./parts.ts";
import { inDependencyOrder } from "./restore.ts";
import { withUsableSources } from "./route-sources.ts";
import { AUTOCONF, wantsSlaac, withoutIpv6Addresses, withSlaacDefaults } from "./slaac.ts";
import { joinStep, routesInVrf, type Vrf, vrfOf } from "./vrf.ts";

const NOTHING: Inherited = { addresses: [], routes: [], neighbors: [], leftOut: [] };

/** Whether the link keeps its own permanent global addresses, with its routes, rules and neighbours, as in DRANET. */
export function keepsOwn({ interface: link = {} }: NetworkConfig): boolean {
  // The host goes on using what its link has, and an address in two places reaches neither.
  if (isSubInterface(link) || wantsDhcp(link)) return false;
  return link.addresses === undefined || link.addresses.length === 0;
}

/** Whether `planAttach` looks at the host's rules: only where the link's routes go with it in tables of their own. */
export function needsHostRules(config: NetworkConfig, host: LinkSnapshot): boolean {
  return keepsOwn(config) && config.interface?.vrf === undefined && ownTables(host).size > 0;
}

/**
 * Steps in the order the kernel wants: hardware, name, sysctls, addresses, up, then what needs the link up. What is
 * configured takes the place of what the link brings along. Throws a ClaimError for what this host cannot do.
 */
export function planAttach(
  config: NetworkConfig,
  host: LinkSnapshot,
  hostRules: readonly Rule[] = [],
  lease?: HeldLease,
): AttachPlan {
  const link = withSlaacDefaults(config.interface ?? {});
  const isSlaac = wantsSlaac(link);
  const child = planChild(link, host.link);
  const ifname = link.name ?? host.link.ifname;
  // A macvlan on a macvlan stands on what carries both, whose MTU may be larger.
  const mtu = link.mtu ?? leaseMtu(lease, host) ?? (child === undefined ? undefined : host.link.mtu);
  // A PF that gives its VF an address lets it have no other, and does not always tell it.
  const hardwareAddress = link.hardwareAddr ?? config.vf?.mac;
  const hasFamily = ({ family }: { readonly family: "ipv4" | "ipv6" }) =>
    family === "ipv4" || link.disableIPv6 !== true;
  const vrf = link.vrf === undefined ? undefined : vrfOf(link.vrf);
  const own = ownState(config, isSlaac ? withoutIpv6Addresses(host) : host, vrf);
  const leased = lease === undefined ? [] : [leaseAddress(lease, lease.takenAtMs)];
  const addresses = [...own.addresses.filter(hasFamily), ...(link.addresses ?? []).map(asAddress), ...leased];
  if (addresses.some(({ family }) => family === "ipv6")) requireIpv6("an IPv6 address", link, host);
  const configured = (config.routes ?? []).map(asRoute).map((route) => (vrf ? { ...route, table: vrf.table } : route));
  const isReplaced = ({ destination, table }: { readonly destination: string; readonly table: number }) =>
    configured.some((route) => route.destination === destination && route.table === table);
  const brought = [...own.routes.filter(hasFamily), ...(lease === undefined ? [] : leaseRoutes(lease))];
  const routes = [...brought.filter((route) => !isReplaced(route)), ...configured];
  const rules = [
    ...(needsHostRules(config, host) ? inheritedRules(hostRules, ownTables(host), host, ifname) : []).filter(hasFamily),
    ...(config.rules ?? []).flatMap(asRules),
  ];
  const neighbors = [...own.neighbors.filter(hasFamily), ...(config.neighbors ?? []).map(asNeighbor)];
  return {
    ifname,
    ...(child === undefined ? {} : { child }),
    steps: withUsableSources([
      // XDP limits the MTU.
      ...(link.disableEbpfPrograms === true ? [{ op: "detachPrograms" } as const] : []),
      ...(hardwareAddress === undefined ? [] : [{ op: "setAddress", address: hardwareAddress } as const]),
      ...(mtu === undefined ? [] : [{ op: "setMtu", mtu } as const]),
      ...sizeSteps(link, host),
      ...configuredEthtool(config.ethtool ?? {}, host.link.ifname, host.ethtool),
      { op: "rename", ifname },
      ...sysctlSteps(link, host),
      ...(isSlaac ? [AUTOCONF] : []),
      // Before layer 3, which a VRF takes from a link that joins it.
      ...(vrf === undefined ? [] : [joinStep(vrf, link.forwarding === true)]),
      ...addresses.map((address): LinkStep => ({ op: "addAddress", address })),
      { op: "up" },
      ...inDependencyOrder(routes).map((route): LinkStep => ({ op: "addRoute", route })),
      ...rules.map((rule): LinkStep => ({ op: "addRule", rule })),
      ...neighbors.map((neighbor): LinkStep => ({ op: "addNeighbor", neighbor })),
    ]),
    ...(isSlaac ? { awaitsSlaac: true } : {}),
    ...(own.leftOut.length === 0 ? {} : { leftOut: own.leftOut }),
  };
}

/** Whether something of the device moves into the pod's network namespace. */
export function entersNamespace({ ifname, rdma }: AttachPlan): boolean {
  return ifname !== undefined || rdma?.moves === true;
}

export function hostNetworkSentence({ podNamespace, podName }: Pick<SandboxRef, "podNamespace" | "podName">): string {
  return `pod ${podNamespace}/${podName} uses the host's network, where only character devices can be given to it: unset hostNetwork`;
}

function ownState(config: NetworkConfig, host: LinkSnapshot, vrf: Vrf | undefined): Inherited {
  if (!keepsOwn(config)) return NOTHING;
  const own = inheritedState(host);
  if (vrf === undefined) return own;
  const { routes, leftOut } = routesInVrf(own.routes, vrf);
  return { ...own, routes, leftOut: [...own.leftOut, ...leftOut] };
}

/** Refuses plans of one pod that want the same name twice. */
export function checkNames(plans: readonly { readonly device: string; readonly plan: AttachPlan }[]): void {
  const owners = new Map<string, string>();
  for (const { device, plan } of plans) {
    if (plan.ifname === undefined) continue;
    const owner = owners.get(plan.ifname);
    if (owner !== undefined)
      throw new ClaimError(
        `devices ${owner} and ${device} would both be named ${plan.ifname} in the pod: give one another interface.name in its configuration`,
      );
    owners.set(plan.ifname, device);
  }
}
