/**
 * RTM_NEWROUTE ↔ Route: struct rtmsg, its attributes, struct rtnexthop (linux/rtnetlink.h). What has no field is kept
 * as it came and sent back.
 */

import { ProtocolError } from "../lib/errors.ts";
import { AttributeBytes, type MessageWriter, putRaw, u32 } from "./attribute-writer.ts";
import { AttributeReader, align4, type RawAttribute } from "./attributes.ts";
import * as k from "./constants.ts";
import { FAMILY_NUMBER, familyOf, formatIpOf, formatPrefix, type IpFamily, parseIp, parsePrefix } from "./ip.ts";
import type { NextHop, Route } from "./route.ts";

/** struct rtmsg {u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags}. */
const RTMSG_BYTES = 12;
/** struct rtnexthop {u16 len; u8 flags, hops; i32 ifindex}. */
const RTNEXTHOP_BYTES = 8;
/** rta_cacheinfo.rta_expires counts in USER_HZ, which every architecture of ours has at 100. */
const USER_HZ = 100;

/** `undefined` for a family that is not IP. Throws ProtocolError when the payload is no route. */
export function decodeRoute(payload: Uint8Array): Route | undefined {
  if (payload.length < RTMSG_BYTES) throw new ProtocolError(`a route has ${payload.length} bytes, it needs 12`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const family = familyOf(view.getUint8(0));
  if (family === undefined) return undefined;
  let table = view.getUint8(4);
  let destination: Uint8Array | undefined;
  let source: Uint8Array | undefined;
  let expires = 0;
  const attributes: RawAttribute[] = [];
  const optional: { -readonly [Key in keyof Route]?: Route[Key] } = {};
  const at = new AttributeReader(payload, RTMSG_BYTES);
  while (at.next()) {
    if (at.type === k.RTA_DST) destination = at.bytes();
    else if (at.type === k.RTA_SRC) source = at.bytes();
    else if (at.type === k.RTA_OIF) optional.ifindex = at.u32();
    else if (at.type === k.RTA_GATEWAY) optional.gateway = formatIpOf(family, at.bytes());
    else if (at.type === k.RTA_PREFSRC) optional.preferredSource = formatIpOf(family, at.bytes());
    else if (at.type === k.RTA_PRIORITY) optional.priority = at.u32();
    else if (at.type === k.RTA_TABLE) table = at.u32();
    else if (at.type === k.RTA_MULTIPATH) optional.nextHops = decodeNextHops(family, at.bytes());
    else if (at.type === k.RTA_CACHEINFO) expires = at.u32At(8) | 0;
    else attributes.push(at.raw());
  }
  // What a dump tells by RTA_CACHEINFO, a request says by RTA_EXPIRES.
  if (expires > 0) attributes.push({ type: k.RTA_EXPIRES, data: u32(Math.ceil(expires / USER_HZ)).toHex() });
  const sourceLength = view.getUint8(2);
  return {
    family,
    destination: formatPrefix(family, destination, view.getUint8(1)),
    ...(source === undefined && sourceLength === 0 ? {} : { source: formatPrefix(family, source, sourceLength) }),
    table,
    protocol: view.getUint8(5),
    scope: view.getUint8(6),
    type: view.getUint8(7),
    tos: view.getUint8(3),
    flags: view.getUint32(8, true) & k.RTNH_F_ONLINK,
    ...optional,
    attributes,
  };
}

function decodeNextHops(family: IpFamily, bytes: Uint8Array): NextHop[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hops: NextHop[] = [];
  for (let start = 0; start + RTNEXTHOP_BYTES <= bytes.length; ) {
    const length = view.getUint16(start, true);
    if (length < RTNEXTHOP_BYTES || start + length > bytes.length)
      throw new ProtocolError(`a next hop declares ${length} bytes, ${bytes.length - start} are left`);
    const attributes: RawAttribute[] = [];
    let gateway: string | undefined;
    const at = new AttributeReader(bytes, start + RTNEXTHOP_BYTES, start + length);
    while (at.next()) {
      if (at.type === k.RTA_GATEWAY) gateway = formatIpOf(family, at.bytes());
      else attributes.push(at.raw());
    }
    hops.push({
      ifindex: view.getInt32(start + 4, true),
      flags: view.getUint8(start + 2) & k.RTNH_F_ONLINK,
      weight: view.getUint8(start + 3) + 1,
      ...(gateway === undefined ? {} : { gateway }),
      attributes,
    });
    start += align4(length);
  }
  return hops;
}

/** Length of the destination's prefix, without decoding the rest: dumps are mostly of routes that nobody wants. */
export function destinationLength(payload: Uint8Array): number {
  if (payload.length < RTMSG_BYTES) throw new ProtocolError(`a route has ${payload.length} bytes, it needs 12`);
  return payload[1] ?? 0;
}

/** Writes header and attributes. Throws ProtocolError when a text of the route is no address. */
export function encodeRoute(route: Route, message: MessageWriter): void {
  const { family } = route;
  const destination = parsePrefix(family, route.destination);
  const source = route.source === undefined ? undefined : parsePrefix(family, route.source);
  const header = new Uint8Array(RTMSG_BYTES);
  header[0] = FAMILY_NUMBER[family];
  header[1] = destination.length;
  header[2] = source?.length ?? 0;
  header[3] = route.tos;
  header[4] = route.table < 256 ? route.table : k.RT_TABLE_COMPAT;
  header[5] = route.protocol;
  header[6] = route.scope;
  header[7] = route.type;
  new DataView(header.buffer).setUint32(8, route.flags & k.RTNH_F_ONLINK, true);
  message.append(header);
  if (destination.length > 0) message.put(k.RTA_DST, destination.address);
  if (source !== undefined) message.put(k.RTA_SRC, source.address);
  message.put(k.RTA_TABLE, u32(route.table));
  if (route.priority !== undefined) message.put(k.RTA_PRIORITY, u32(route.priority));
  if (route.preferredSource !== undefined) message.put(k.RTA_PREFSRC, parseIp(family, route.preferredSource));
  if (route.gateway !== undefined) message.put(k.RTA_GATEWAY, parseIp(family, route.gateway));
  if (route.ifindex !== undefined) message.put(k.RTA_OIF, u32(route.ifindex));
  if (route.nextHops !== undefined) message.put(k.RTA_MULTIPATH, encodeNextHops(route, route.nextHops));
  const spelledOut = route.ifindex !== undefined || route.nextHops !== undefined;
  // The kernel takes a next-hop object or what it stands for, and the object may be gone while the route is away.
  putAll(message, spelledOut ? route.attributes.filter(({ type }) => type !== k.RTA_NH_ID) : route.attributes);
}

function encodeNextHops({ family }: Route, hops: readonly NextHop[]): Uint8Array {
  const parts = hops.map((hop) => {
    const attributes = new AttributeBytes();
    if (hop.gateway !== undefined) attributes.put(k.RTA_GATEWAY, parseIp(family, hop.gateway));
    putAll(attributes, hop.attributes);
    const { bytes } = attributes;
    const header = new Uint8Array(RTNEXTHOP_BYTES);
    const view = new DataView(header.buffer);
    view.setUint16(0, RTNEXTHOP_BYTES + bytes.length, true);
    view.setUint8(2, hop.flags & k.RTNH_F_ONLINK);
    view.setUint8(3, hop.weight - 1);
    view.setInt32(4, hop.ifindex, true);
    return Buffer.concat([header, bytes]);
  });
  return new Uint8Array(Buffer.concat(parts));
}

/** Some encapsulations insist on the flag, although the kernel's own dumps lack it. */
function putAll(message: MessageWriter, attributes: readonly RawAttribute[]): void {
  for (const attribute of attributes) {
    const isNest = attribute.type === k.RTA_METRICS || attribute.type === k.RTA_ENCAP;
    putRaw(message, attribute, isNest ? k.NLA_F_NESTED : 0);
  }
}
