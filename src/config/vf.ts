/** `vf` of the configuration: what the PF sets for its VF; and the drivers that a function can be given. */

import { z } from "zod";
import { VF_LINK_STATES, VF_VLAN_PROTOCOLS, type VfLinkState, type VfVlanProtocol } from "../netlink/vf.ts";
import { always, flag, hardwareAddressText, optional, wholeNumber } from "./fields.ts";

export interface VfConfig {
  readonly vlan?: { readonly id: number; readonly qos?: number; readonly protocol?: VfVlanProtocol };
  /** `02:00:5e:10:00:01`, lower case. */
  readonly mac?: string;
  readonly trust?: boolean;
  readonly spoofCheck?: boolean;
  readonly linkState?: VfLinkState;
  /** Mbit/s. */
  readonly minTxRate?: number;
  readonly maxTxRate?: number;
}

export const DRIVERS = ["vfio-pci"] as const;

/** VLAN_VID_MASK leaves out 4095 (linux/if_vlan.h). */
const MAX_VLAN_ID = 4094;
const MAX_PRIORITY = 7;
const rate = optional(wholeNumber(0, 0xffff_ffff));

const unicast = hardwareAddressText.refine((address) => isUnicast(address), {
  error: "is no Ethernet address of one device: six bytes, not zero, no multicast",
});

export const vfSchema = z
  .strictObject({
    vlan: optional(
      z.strictObject({
        id: wholeNumber(0, MAX_VLAN_ID),
        qos: optional(wholeNumber(0, MAX_PRIORITY)),
        protocol: optional(z.enum(VF_VLAN_PROTOCOLS)),
      }),
    ),
    mac: optional(unicast),
    trust: optional(flag),
    spoofCheck: optional(flag),
    linkState: optional(z.enum(VF_LINK_STATES)),
    minTxRate: rate,
    maxTxRate: rate,
  })
  .refine(ratesFit, { path: ["minTxRate"], when: always, error: "must not be above maxTxRate" });

/** Values may have problems of their own, reported elsewhere. 0 is no limit. */
function ratesFit({ minTxRate, maxTxRate }: { readonly minTxRate?: unknown; readonly maxTxRate?: unknown }): boolean {
  return typeof minTxRate !== "number" || typeof maxTxRate !== "number" || maxTxRate === 0 || minTxRate <= maxTxRate;
}

function isUnicast(address: string): boolean {
  const first = Number.parseInt(address.slice(0, 2), 16);
  return address.length === "02:00:00:00:00:00".length && (first & 1) === 0 && /[1-9a-f]/.test(address);
}
