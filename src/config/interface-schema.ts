/** What `interface` of the configuration may hold. */

import { z } from "zod";
import {
  cidrText,
  flag,
  hardwareAddressText,
  optional,
  optionalText,
  positiveInt32,
  wholeNumber,
  wholeNumberOf,
} from "./fields.ts";
import { ADDRESSINGS, INTERFACE_TYPES } from "./interface.ts";
import { INTERFACE_RULES } from "./interface-rules.ts";
import { linkName } from "./link-name.ts";
import { refineAll } from "./refine-all.ts";
import { ipvlanSchema, macvlanSchema, vlanSchema } from "./sub-interface.ts";

/** IPv4's least MTU, RFC 791. */
const MIN_MTU = 68;
const MAX_INT32 = 0x7fff_ffff;
/** RT_TABLE_DEFAULT, MAIN and LOCAL (linux/rtnetlink.h): the pod's own. */
const OWN_TABLES = [253, 254, 255];

/** The kernel gives no link a multicast or zero address (is_valid_ether_addr in linux/etherdevice.h). */
const linkAddress = hardwareAddressText.refine(
  (address) => address.length !== 17 || (!/^.[13579bdf]/.test(address) && address !== "00:00:00:00:00:00"),
  { error: ({ input }) => `${JSON.stringify(input)} is a multicast address or zero, which no link can have` },
);

const vrf = z.strictObject({
  name: linkName,
  table: optional(
    wholeNumber(1, 0xffff_ffff).refine((table) => !OWN_TABLES.includes(table), {
      error: ({ input }) => `${input} is the pod's table default, main or local`,
    }),
  ),
});

export const interfaceSchema = refineAll(
  z.strictObject({
    name: optionalText(linkName),
    addresses: optional(z.array(cidrText)),
    dhcp: optional(flag),
    mtu: optional(wholeNumber(MIN_MTU, MAX_INT32)),
    hardwareAddr: optional(linkAddress),
    gsoMaxSize: optional(positiveInt32),
    groMaxSize: optional(positiveInt32),
    gsoIPv4MaxSize: optional(positiveInt32),
    groIPv4MaxSize: optional(positiveInt32),
    disableEbpfPrograms: optional(flag),
    forwarding: optional(flag),
    arpIgnore: optional(wholeNumberOf(0, 1, 2, 3, 8)),
    arpAnnounce: optional(wholeNumber(0, 2)),
    vrf: optional(vrf),
    type: optionalText(z.enum(INTERFACE_TYPES)),
    macvlan: macvlanSchema,
    ipvlan: ipvlanSchema,
    vlan: vlanSchema,
    addressing: optionalText(z.enum(ADDRESSINGS)),
    acceptRA: optional(wholeNumber(0, 2)),
    dadTransmits: optional(wholeNumber(0, MAX_INT32)),
    routerSolicitationDelay: optional(wholeNumber(0, MAX_INT32)),
    routerSolicitationInterval: optional(wholeNumber(1, MAX_INT32)),
    disableIPv6: optional(flag),
    addrGenMode: optional(wholeNumber(0, 3)),
  }),
  INTERFACE_RULES,
);
