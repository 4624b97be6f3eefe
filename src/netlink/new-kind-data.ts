/** IFLA_INFO_DATA of links that netferry makes (linux/if_link.h), in hex. */

import { AttributeBytes, u32 } from "./attribute-writer.ts";
import { AttributeReader } from "./attributes.ts";

const IFLA_VRF_TABLE = 1;
const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN_MODE = 1;
const IFLA_VLAN_ID = 1;
const IFLA_VLAN_PROTOCOL = 5;

/** enum macvlan_mode. */
export const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4 } as const;
/** enum ipvlan_mode. */
export const IPVLAN_MODES = { l2: 0, l3: 1, l3s: 2 } as const;
/** ETH_P_8021Q and ETH_P_8021AD (linux/if_ether.h). */
export const VLAN_PROTOCOLS = { "802.1Q": 0x8100, "802.1ad": 0x88a8 } as const;

export function macvlanData(mode: keyof typeof MACVLAN_MODES): string {
  return new AttributeBytes().put(IFLA_MACVLAN_MODE, u32(MACVLAN_MODES[mode])).bytes.toHex();
}

export function ipvlanData(mode: keyof typeof IPVLAN_MODES): string {
  return new AttributeBytes().put(IFLA_IPVLAN_MODE, u16(IPVLAN_MODES[mode])).bytes.toHex();
}

export function vlanData(id: number, protocol: keyof typeof VLAN_PROTOCOLS): string {
  const etherType = u16(VLAN_PROTOCOLS[protocol]).reverse(); // in network byte order
  return new AttributeBytes().put(IFLA_VLAN_ID, u16(id)).put(IFLA_VLAN_PROTOCOL, etherType).bytes.toHex();
}

export function vrfData(table: number): string {
  return new AttributeBytes().put(IFLA_VRF_TABLE, u32(table)).bytes.toHex();
}

/** Whether links of one kind agree in what tells them apart on their parent: an ipvlan's mode, a vlan's id and protocol. */
export function agree(kind: "ipvlan" | "vlan", kindData: string, other: string): boolean {
  const types = kind === "ipvlan" ? [IFLA_IPVLAN_MODE] : [IFLA_VLAN_ID, IFLA_VLAN_PROTOCOL];
  const [values, others] = [valuesOf(kindData), valuesOf(other)];
  return types.every((type) => values.get(type) === others.get(type));
}

function valuesOf(kindData: string): ReadonlyMap<number, string> {
  const values = new Map<number, string>();
  for (const at = new AttributeReader(Uint8Array.fromHex(kindData)); at.next(); ) values.set(at.type, at.hex());
  return values;
}

function u16(value: number): Uint8Array {
  return new Uint8Array(Uint16Array.of(value).buffer);
}
