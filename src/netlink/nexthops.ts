/**
 * Next-hop objects (linux/nexthop.h), spelled out in the routes that go by them. With `net.ipv4.nexthop_compat_mode=0`, as
 * routing daemons like to have it, the kernel tells of such a route no more than the object's number.
 */

import { NlMessage } from "../../ffi/libnl.ts";
import { AttributeReader } from "./attributes.ts";
import * as k from "./constants.ts";
import { FAMILY_NUMBER, familyOf, formatIpOf, type IpFamily } from "./ip.ts";
import type { NextHop, Route } from "./route.ts";
import type { NetlinkSocket } from "./socket.ts";

const RTM_NEWNEXTHOP = 104;
const RTM_GETNEXTHOP = 106;
const NHA_ID = 1;
const NHA_GROUP = 2;
const NHA_OIF = 5;
const NHA_GATEWAY = 6;
/** struct nhmsg {u8 family, scope, protocol, resvd; u32 flags}. */
const NHMSG_BYTES = 8;
/** struct nexthop_grp {u32 id; u8 weight, weight_high; u16 resvd2}. */
const GROUP_ENTRY_BYTES = 8;
/** struct rtvia {u16 family; u8 addr[]}: a gateway of the other family. */
const RTA_VIA = 18;

interface NexthopObject {
  readonly id: number;
  readonly ifindex?: number;
  readonly flags: number;
  readonly gateway?: { readonly family: IpFamily; readonly bytes: Uint8Array };
  /** Of a group. */
  readonly members: readonly { readonly id: number; readonly weight: number }[];
}

/** Whether the kernel told no more of the route's next hops than the number of an object. */
export function goesByObject({ ifindex, nextHops, attributes }: Route): boolean {
  return ifindex === undefined && nextHops === undefined && attributes.some(({ type }) => type === k.RTA_NH_ID);
}

/** The same routes, as the kernel tells of them in its other mode. */
export function spellOut(socket: NetlinkSocket, routes: readonly Route[]): readonly Route[] {
  if (!routes.some(goesByObject)) return routes;
  const objects = new Map(listNexthops(socket).map((object) => [object.id, object]));
  return routes.map((route) => (goesByObject(route) ? withHops(route, objects) : route));
}

function withHops(route: Route, objects: ReadonlyMap<number, NexthopObject>): Route {
  const own = route.attributes.find(({ type }) => type === k.RTA_NH_ID);
  const object = own === undefined ? undefined : objects.get(Buffer.from(own.data, "hex").readUInt32LE());
  if (object === undefined) return route; // it went in between
  if (object.members.length > 0) {
    const nextHops = object.members.flatMap(({ id, weight }) => hopOf(route.family, objects.get(id), weight));
    return nextHops.length === 0 ? route : { ...route, nextHops };
  }
  const [hop] = hopOf(route.family, object, 1);
  if (hop === undefined) return route; // a blackhole
  const { ifindex, flags, gateway, attributes } = hop;
  return {
    ...route,
    ifindex,
    flags: route.flags | flags,
    ...(gateway === undefined ? {} : { gateway }),
    attributes: [...route.attributes, ...attributes],
  };
}

function hopOf(family: IpFamily, object: NexthopObject | undefined, weight: number): readonly NextHop[] {
  if (object?.ifindex === undefined) return [];
  const { ifindex, flags, gateway } = object;
  const hop = { ifindex, flags, weight };
  if (gateway === undefined) return [{ ...hop, attributes: [] }];
  if (gateway.family === family) return [{ ...hop, gateway: formatIpOf(family, gateway.bytes), attributes: [] }];
  const number = FAMILY_NUMBER[gateway.family].toString(16).padStart(2, "0");
  return [
    { ...hop, attributes: [{ type: RTA_VIA, data: `${number}00${Buffer.from(gateway.bytes).toString("hex")}` }] },
  ];
}

function listNexthops(socket: NetlinkSocket): readonly NexthopObject[] {
  const build = () => new NlMessage(RTM_GETNEXTHOP, k.NLM_F_REQUEST | k.NLM_F_DUMP).append(new Uint8Array(NHMSG_BYTES));
  return socket.dump("RTM_GETNEXTHOP", "next-hop objects", build, ({ type, payload }) =>
    type === RTM_NEWNEXTHOP ? decodeNexthop(payload) : undefined,
  );
}

function decodeNexthop(payload: Uint8Array): NexthopObject | undefined {
  const at = new AttributeReader(payload, NHMSG_BYTES);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const family = familyOf(view.getUint8(0));
  const found: { -readonly [Key in keyof NexthopObject]: NexthopObject[Key] } = {
    id: 0,
    flags: view.getUint32(4, true) & k.RTNH_F_ONLINK,
    members: [],
  };
  while (at.next()) {
    if (at.type === NHA_ID) found.id = at.u32();
    else if (at.type === NHA_OIF) found.ifindex = at.u32();
    else if (at.type === NHA_GATEWAY && family !== undefined) found.gateway = { family, bytes: at.bytes() };
    else if (at.type === NHA_GROUP) found.members = decodeGroup(at.bytes());
  }
  return found.id === 0 ? undefined : found;
}

function decodeGroup(bytes: Uint8Array): NexthopObject["members"] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / GROUP_ENTRY_BYTES) }, (_, i) => ({
    id: view.getUint32(i * GROUP_ENTRY_BYTES, true),
    weight: view.getUint8(i * GROUP_ENTRY_BYTES + 4) + 1,
  }));
}
