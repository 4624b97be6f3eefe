/** What a cloud knows of links that stand on a device: where their addresses come from, and how they leave. Pure. */

import { familyOf, parsePrefix } from "../config/ip.ts";
import type { NetworkConfig } from "../config/network-config.ts";

export interface ChildNetwork {
  /** Prefixes that lead to this node. */
  readonly ranges: readonly string[];
  /** At most one of each family. */
  readonly gateways: readonly string[];
  /** For routes that leave by the device. */
  readonly table: number;
}

/** DRANET's, beside the rules that people write. */
const RULE_PRIORITY = 32_000;
const RT_SCOPE_LINK = 253;

/** Whether the cloud is to give addresses and routes, as far as the configuration leaves them open. */
export function wantsChildNetwork({ profile, interface: link = {} }: NetworkConfig): boolean {
  return link.type === "IPVLAN" && (link.addressing ?? "Static") === "Static" && profile === undefined;
}

/**
 * What comes from these addresses leaves by the device's gateway, by a table of its own. Whoever configures routes,
 * rules or a VRF routes himself.
 */
export function sourceRouting(
  { gateways, table }: ChildNetwork,
  addresses: readonly string[],
  { routes = [], rules = [], interface: link = {} }: NetworkConfig,
): Pick<NetworkConfig, "routes" | "rules"> {
  if (routes.length > 0 || rules.length > 0 || link.vrf !== undefined) return {};
  const routed = gateways.flatMap((gateway) => {
    const family = familyOf(gateway);
    const sources = addresses.filter((address) => familyOf(address) === family).map(hostPrefix);
    return sources.length === 0 ? [] : [{ gateway, sources, isIpv6: family === "ipv6" }];
  });
  if (routed.length === 0) return {};
  return {
    routes: routed.flatMap(({ gateway, isIpv6 }) => [
      { destination: hostPrefix(gateway), scope: RT_SCOPE_LINK, table },
      { destination: isIpv6 ? "::/0" : "0.0.0.0/0", gateway, table },
    ]),
    rules: routed.flatMap(({ sources }) => sources.map((source) => ({ source, table, priority: RULE_PRIORITY }))),
  };
}

function hostPrefix(address: string): string {
  const text = parsePrefix(address)?.text ?? address;
  return `${text}/${text.includes(":") ? 128 : 32}`;
}
