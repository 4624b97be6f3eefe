/** RTM_NEWADDR ↔ Address: struct ifaddrmsg and its attributes (linux/if_addr.h). */

import type { AddressFields } from "../../ffi/libnl-route.ts";
import { ProtocolError } from "../lib/errors.ts";
import type { Address } from "./address.ts";
import { type MessageWriter, u8, u32 } from "./attribute-writer.ts";
import { AttributeReader } from "./attributes.ts";
import * as k from "./constants.ts";
import { FAMILY_NUMBER, familyOf, formatIpOf, parseIp } from "./ip.ts";

/** struct ifaddrmsg {u8 family, prefixlen, flags, scope; u32 index}. */
const IFADDRMSG_BYTES = 8;
/** INFINITY_LIFE_TIME */
const FOREVER = 0xffffffff;

/** SECONDARY (TEMPORARY), DADFAILED, DEPRECATED, TENTATIVE, PERMANENT: what the kernel says, and not what it is told. */
const STATE_FLAGS = 0x01 | 0x08 | 0x20 | 0x40 | 0x80;

/** `undefined` for an address family that is not IP. Throws ProtocolError when the payload is no address. */
export function decodeAddress(payload: Uint8Array): Address | undefined {
  if (payload.length < IFADDRMSG_BYTES) throw new ProtocolError(`an address has ${payload.length} bytes, it needs 8`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const family = familyOf(view.getUint8(0));
  if (family === undefined) return undefined;
  let flags = view.getUint8(2);
  let local: string | undefined;
  let address: string | undefined;
  const optional: { -readonly [Key in keyof Address]?: Address[Key] } = {};
  const at = new AttributeReader(payload, IFADDRMSG_BYTES);
  while (at.next()) {
    if (at.type === k.IFA_LOCAL) local = formatIpOf(family, at.bytes());
    else if (at.type === k.IFA_ADDRESS) address = formatIpOf(family, at.bytes());
    else if (at.type === k.IFA_BROADCAST) optional.broadcast = formatIpOf(family, at.bytes());
    else if (at.type === k.IFA_LABEL) optional.label = at.text();
    else if (at.type === k.IFA_FLAGS) flags = at.u32();
    else if (at.type === k.IFA_RT_PRIORITY) optional.metric = at.u32();
    else if (at.type === k.IFA_PROTO) optional.protocol = at.u8();
    else if (at.type === k.IFA_CACHEINFO) {
      // struct ifa_cacheinfo {u32 prefered, valid, cstamp, tstamp}
      const [preferred, valid] = [at.u32At(0), at.u32At(4)];
      if (preferred !== FOREVER) optional.preferredSeconds = preferred;
      if (valid !== FOREVER) optional.validSeconds = valid;
    }
  }
  const own = local ?? address;
  if (own === undefined) throw new ProtocolError("an address message has no address");
  return {
    ifindex: view.getUint32(4, true),
    family,
    local: own,
    prefixLength: view.getUint8(1),
    ...(address === undefined || address === own ? {} : { peer: address }),
    scope: view.getUint8(3),
    flags,
    ...optional,
  };
}

/** What libnl-route takes; the rest is put on the message beside it. */
export function addressFields(address: Address, ifindex: number): AddressFields {
  const { family, local, prefixLength, peer, broadcast, label, scope, flags } = address;
  return {
    ifindex,
    family: FAMILY_NUMBER[family],
    local: parseIp(family, local),
    prefixLength,
    ...(peer === undefined || family === "ipv6" ? {} : { peer: parseIp(family, peer) }),
    ...(broadcast === undefined ? {} : { broadcast: parseIp(family, broadcast) }),
    ...(label === undefined ? {} : { label }),
    scope,
    flags: flags & ~STATE_FLAGS,
    ...lifetime(address),
  };
}

function lifetime({ validSeconds, preferredSeconds }: Address): Pick<AddressFields, "lifetime"> {
  if (validSeconds === undefined && preferredSeconds === undefined) return {};
  const valid = validSeconds ?? FOREVER;
  return { lifetime: { valid, preferred: Math.min(preferredSeconds ?? valid, valid) } };
}

/** The attributes of the address that libnl-route does not know. */
export function putOtherFields(message: MessageWriter, { family, peer, metric, protocol }: Address): void {
  // libnl has put the address itself as IFA_ADDRESS; of two attributes the kernel takes the last.
  if (peer !== undefined && family === "ipv6") message.put(k.IFA_ADDRESS, parseIp(family, peer));
  if (metric !== undefined) message.put(k.IFA_RT_PRIORITY, u32(metric));
  if (protocol !== undefined) message.put(k.IFA_PROTO, u8(protocol));
}
