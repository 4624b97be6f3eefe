/** How a child of the device is made, where `interface.type` asks for one. */

import { z } from "zod";
import type { IPVLAN_MODES, MACVLAN_MODES, VLAN_PROTOCOLS } from "../netlink/new-kind-data.ts";
import { optional, optionalText, wholeNumber } from "./fields.ts";

export interface MacvlanConfig {
  /** Absent: bridge. */
  readonly mode?: keyof typeof MACVLAN_MODES;
}

export interface IpvlanConfig {
  /** Absent: l2. */
  readonly mode?: keyof typeof IPVLAN_MODES;
}

export interface VlanConfig {
  readonly id: number;
  /** Absent: 802.1Q. */
  readonly protocol?: keyof typeof VLAN_PROTOCOLS;
}

/** VLAN_VID_MASK less the reserved 0xfff (IEEE 802.1Q). */
const MAX_VLAN_ID = 4094;

export const macvlanSchema = optional(z.strictObject({ mode: optionalText(z.enum(["bridge", "private", "vepa"])) }));
export const ipvlanSchema = optional(z.strictObject({ mode: optionalText(z.enum(["l2", "l3", "l3s"])) }));
export const vlanSchema = optional(
  z.strictObject({ id: wholeNumber(1, MAX_VLAN_ID), protocol: optionalText(z.enum(["802.1Q", "802.1ad"])) }),
);
