/** RTM_NEWNEIGH ↔ Neighbor: struct ndmsg and its attributes (linux/neighbour.h). */

import type { NeighborFields } from "../../ffi/libnl-route.ts";
import { ProtocolError } from "../lib/errors.ts";
import { AttributeReader } from "./attributes.ts";
import * as k from "./constants.ts";
import { FAMILY_NUMBER, familyOf, formatIpOf, formatMac, parseIp, parseMac } from "./ip.ts";
import type { Neighbor } from "./neighbor.ts";

/** struct ndmsg {u8 family, pad; u16 pad; i32 ifindex; u16 state; u8 flags, type}. */
const NDMSG_BYTES = 12;

/** `undefined` for families that are not IP, such as a bridge's. Throws ProtocolError when the payload is no neighbour. */
export function decodeNeighbor(payload: Uint8Array): Neighbor | undefined {
  if (payload.length < NDMSG_BYTES) throw new ProtocolError(`a neighbour has ${payload.length} bytes, it needs 12`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const family = familyOf(view.getUint8(0));
  if (family === undefined) return undefined;
  let destination: string | undefined;
  let address: string | undefined;
  const at = new AttributeReader(payload, NDMSG_BYTES);
  while (at.next()) {
    if (at.type === k.NDA_DST) destination = formatIpOf(family, at.bytes());
    else if (at.type === k.NDA_LLADDR && at.length > 0) address = formatMac(at.hex());
  }
  if (destination === undefined) throw new ProtocolError("a neighbour has no destination");
  return {
    ifindex: view.getInt32(4, true),
    family,
    destination,
    ...(address === undefined ? {} : { address }),
    state: view.getUint16(8, true),
    flags: view.getUint8(10),
  };
}

export function neighborFields(neighbor: Neighbor, ifindex: number): NeighborFields {
  const { family, destination, address, state, flags } = neighbor;
  return {
    ifindex,
    family: FAMILY_NUMBER[family],
    destination: parseIp(family, destination),
    ...(address === undefined ? {} : { address: parseMac(address) }),
    state,
    flags,
  };
}

export function encodeNdmsg(ifindex: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(NDMSG_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, ifindex, true);
  view.setUint8(10, flags);
  return bytes;
}
