/** Which link is made for the pod in the device's place, and what its parent must be for that. Pure. */

import { createHash } from "node:crypto";
import { type ChildPlan, type DeviceKey, keyText } from "../claims/record.ts";
import type { InterfaceConfig } from "../config/interface.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import { ClaimError } from "../lib/errors.ts";
import { IFF_UP, type Link } from "../netlink/link.ts";
import { ipvlanData, macvlanData, vlanData } from "../netlink/new-kind-data.ts";

const ARPHRD_ETHER = 1;

/** `undefined` where the device itself goes. Throws a ClaimError when the device cannot be a parent, or not of this. */
export function planChild(config: InterfaceConfig, parent: Link): ChildPlan | undefined {
  const child = childOf(config);
  if (child === undefined) return undefined;
  const { ifname, arpType, flags, mtu } = parent;
  if (arpType !== ARPHRD_ETHER)
    throw new ClaimError(
      `interface.type is ${config.type}, but ${ifname} is no Ethernet link, which such links stand on`,
    );
  if ((flags & IFF_UP) === 0)
    throw new ClaimError(
      `${ifname} is down, and nothing passes through a link that stands on it: set it up on the host`,
    );
  if (config.mtu !== undefined && config.mtu > mtu)
    throw new ClaimError(
      `interface.mtu is ${config.mtu}, but a link on ${ifname} has at most the MTU of ${ifname}, which is ${mtu}`,
    );
  return child;
}

function childOf({ type, macvlan, ipvlan, vlan }: InterfaceConfig): ChildPlan | undefined {
  switch (type) {
    case "MACVLAN":
      return { kind: "macvlan", kindData: macvlanData(macvlan?.mode ?? "bridge") };
    case "IPVLAN":
      return { kind: "ipvlan", kindData: ipvlanData(ipvlan?.mode ?? "l2") };
    case "VLAN":
      if (vlan === undefined) throw new ClaimError("interface.type is VLAN, and there is no interface.vlan.id");
      return { kind: "vlan", kindData: vlanData(vlan.id, vlan.protocol ?? "802.1Q") };
    default:
      return undefined;
  }
}

/**
 * With what a child has where the configuration says nothing. A macvlan gets a hardware address that is the same for the
 * claim's whole life, whatever becomes of its sandbox; an ipvlan shares its parent's, so that SLAAC must not go by it.
 */
export function withChildDefaults(config: NetworkConfig, key: DeviceKey): NetworkConfig {
  const { interface: link = {} } = config;
  if (link.type === "MACVLAN" && link.hardwareAddr === undefined)
    return { ...config, interface: { ...link, hardwareAddr: ownAddress(key) } };
  if (link.type === "IPVLAN" && link.addressing === "SLAAC" && link.addrGenMode === undefined)
    return { ...config, interface: { ...link, addrGenMode: IN6_ADDR_GEN_MODE_RANDOM } };
  return config;
}

/** linux/if_link.h */
const IN6_ADDR_GEN_MODE_RANDOM = 3;

/** Locally administered, unicast (IEEE 802), 46 bits of the claim's identity. */
function ownAddress(key: DeviceKey): string {
  const bytes = createHash("sha256")
    .update(`hardware address ${keyText(key)}`)
    .digest()
    .subarray(0, 6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
