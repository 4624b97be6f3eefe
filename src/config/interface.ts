/** `interface` of the configuration: the link's own properties in the pod. */

import { z } from "zod";
import { cidrText, hardwareAddressText, optional, optionalText, wholeNumber } from "./fields.ts";

export interface InterfaceConfig {
  /** Name in the pod; absent: the name it has on the host. */
  readonly name?: string;
  /** CIDRs; absent: those that the link has on the host. */
  readonly addresses?: readonly string[];
  readonly mtu?: number;
  /** `02:00:5e:10:00:01`, lower case. */
  readonly hardwareAddr?: string;
}

const MAX_NAME_BYTES = 15; // IFNAMSIZ counts the final zero byte
/** `all` and `default` are entries of /proc/sys/net/ipv4/conf, `lo` is in the pod already. */
const TAKEN_NAMES = ["all", "default", "lo"];
/** IPv4's least MTU, RFC 791. */
const MIN_MTU = 68;
const MAX_INT32 = 0x7fff_ffff;

/** What is wrong with a link's name, or `undefined`. */
export function linkNameProblem(name: string): string | undefined {
  const quoted = JSON.stringify(name);
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `${quoted} is longer than ${MAX_NAME_BYTES} bytes`;
  if (name === "." || name === "..") return `${quoted} is not allowed as a link's name`;
  if (/\s/.test(name)) return `${quoted} holds a space`;
  const strange = /[^\p{L}\p{Nd}_.-]/u.exec(name)?.[0];
  if (strange !== undefined)
    return `${quoted} holds ${JSON.stringify(strange)} and may hold letters, digits, '-', '_' and '.' only`;
  if (TAKEN_NAMES.includes(name)) return `${quoted} means something else to the kernel`;
  return undefined;
}

const linkName = z.string().superRefine((name, context) => {
  const problem = linkNameProblem(name);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

/** The kernel gives no link a multicast or zero address (is_valid_ether_addr in linux/etherdevice.h). */
const linkAddress = hardwareAddressText.refine(
  (address) => address.length !== 17 || (!/^.[13579bdf]/.test(address) && address !== "00:00:00:00:00:00"),
  { error: ({ input }) => `${JSON.stringify(input)} is a multicast address or zero, which no link can have` },
);

export const interfaceSchema = z.strictObject({
  name: optionalText(linkName),
  addresses: optional(z.array(cidrText)),
  mtu: optional(wholeNumber(MIN_MTU, MAX_INT32)),
  hardwareAddr: optional(linkAddress),
});
