/** What a PF has set for one of its VFs (IFLA_VF_INFO in linux/if_link.h). */

export const VF_LINK_STATES = ["auto", "enable", "disable"] as const;
export type VfLinkState = (typeof VF_LINK_STATES)[number];
export const VF_VLAN_PROTOCOLS = ["802.1Q", "802.1ad"] as const;
export type VfVlanProtocol = (typeof VF_VLAN_PROTOCOLS)[number];

export interface VfVlan {
  /** 0: none. */
  readonly id: number;
  readonly qos: number;
  readonly protocol: VfVlanProtocol;
}

export interface VfState {
  /** All zero where the PF leaves it to the VF, which then has told none. */
  readonly mac: string;
  readonly vlan: VfVlan;
  /** Mbit/s; 0: no limit. */
  readonly minTxRate: number;
  readonly maxTxRate: number;
  readonly linkState: VfLinkState;
  /** Absent where the driver of the PF does not know it. */
  readonly spoofCheck?: boolean;
  readonly trust?: boolean;
}

/** Settings to change. Of the rates one that is not given stays as it is. */
export type VfSettings = Partial<VfState>;
