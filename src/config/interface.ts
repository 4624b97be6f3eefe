/** `interface` of the configuration: the link's own properties in the pod. */

import type { IpvlanConfig, MacvlanConfig, VlanConfig } from "./sub-interface.ts";

export interface InterfaceConfig {
  /** Name in the pod; absent: the name it has on the host. */
  readonly name?: string;
  /** CIDRs; absent: those that the link has on the host. */
  readonly addresses?: readonly string[];
  /** Means `addressing: "DHCP"`. */
  readonly dhcp?: boolean;
  readonly mtu?: number;
  /** `02:00:5e:10:00:01`, lower case. */
  readonly hardwareAddr?: string;
  /** Bytes. */
  readonly gsoMaxSize?: number;
  readonly groMaxSize?: number;
  readonly gsoIPv4MaxSize?: number;
  readonly groIPv4MaxSize?: number;
  readonly disableEbpfPrograms?: boolean;
  readonly forwarding?: boolean;
  readonly arpIgnore?: number;
  readonly arpAnnounce?: number;
  readonly vrf?: VrfConfig;
  readonly type?: InterfaceType;
  readonly macvlan?: MacvlanConfig;
  readonly ipvlan?: IpvlanConfig;
  readonly vlan?: VlanConfig;
  readonly addressing?: Addressing;
  readonly acceptRA?: number;
  readonly dadTransmits?: number;
  /** Seconds. */
  readonly routerSolicitationDelay?: number;
  /** Seconds. */
  readonly routerSolicitationInterval?: number;
  readonly disableIPv6?: boolean;
  readonly addrGenMode?: number;
}

export interface VrfConfig {
  readonly name: string;
  readonly table?: number;
}

export const INTERFACE_TYPES = ["Passthrough", "IPVLAN", "MACVLAN", "VLAN"] as const;
export type InterfaceType = (typeof INTERFACE_TYPES)[number];
export const ADDRESSINGS = ["Static", "DHCP", "SLAAC", "Unnumbered"] as const;
export type Addressing = (typeof ADDRESSINGS)[number];
