/** RTM_NEWLINK → Link: struct ifinfomsg and its attributes (linux/rtnetlink.h, linux/if_link.h). */

import { ProtocolError } from "../lib/errors.ts";
import { AttributeReader } from "./attributes.ts";
import * as k from "./constants.ts";
import { formatMac } from "./ip.ts";
import type { Link, XdpMode } from "./link.ts";
import { IFLA_XDP_DRV_PROG_ID, IFLA_XDP_HW_PROG_ID, IFLA_XDP_SKB_PROG_ID } from "./tc-constants.ts";

/** struct ifinfomsg {u8 family, pad; u16 type; i32 index; u32 flags, change}. */
const IFINFOMSG_BYTES = 16;

type Draft = { -readonly [Key in keyof Link]: Link[Key] };

export function encodeIfinfo(ifindex: number, flags = 0, change = 0): Uint8Array {
  const bytes = new Uint8Array(IFINFOMSG_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, ifindex, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return bytes;
}

/** Reads the payload of an RTM_NEWLINK. Throws ProtocolError when it is none. */
export function decodeLink(payload: Uint8Array): Link {
  if (payload.length < IFINFOMSG_BYTES) throw new ProtocolError(`a link has ${payload.length} bytes, it needs 16`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const altnames: string[] = [];
  const link: Draft = {
    ifindex: view.getInt32(4, true),
    ifname: "",
    arpType: view.getUint16(2, true),
    flags: view.getUint32(8, true),
    mtu: 0,
    altnames,
    txQueueLen: 0,
    operstate: 0,
    group: 0,
  };
  const at = new AttributeReader(payload, IFINFOMSG_BYTES);
  while (at.next()) readAttribute(link, altnames, at);
  return link;
}

function readAttribute(link: Draft, altnames: string[], at: AttributeReader): void {
  switch (at.type) {
    case k.IFLA_IFNAME:
      link.ifname = at.text();
      break;
    case k.IFLA_MTU:
      link.mtu = at.u32();
      break;
    case k.IFLA_ADDRESS:
      if (at.length > 0) link.address = formatMac(at.hex());
      break;
    case k.IFLA_PERM_ADDRESS:
      if (at.length > 0) link.permanentAddress = formatMac(at.hex());
      break;
    case k.IFLA_LINK:
      link.lower = at.i32();
      break;
    case k.IFLA_LINK_NETNSID:
      link.linkNetnsId = at.i32();
      break;
    case k.IFLA_MASTER:
      link.master = at.u32();
      break;
    case k.IFLA_TXQLEN:
      link.txQueueLen = at.u32();
      break;
    case k.IFLA_OPERSTATE:
      link.operstate = at.u8();
      break;
    case k.IFLA_GROUP:
      link.group = at.u32();
      break;
    case k.IFLA_IFALIAS:
      link.alias = at.text();
      break;
    case k.IFLA_LINKINFO:
      readLinkInfo(link, at.nested());
      break;
    case k.IFLA_PROP_LIST:
      for (const props = at.nested(); props.next(); ) if (props.type === k.IFLA_ALT_IFNAME) altnames.push(props.text());
      break;
    case k.IFLA_XDP:
      readXdp(link, at.nested());
      break;
    case k.IFLA_PARENT_DEV_NAME:
      link.parentDevName = at.text();
      break;
    case k.IFLA_PARENT_DEV_BUS_NAME:
      link.parentDevBusName = at.text();
      break;
    case k.IFLA_NETNS_IMMUTABLE:
      link.netnsImmutable = at.u8() !== 0;
      break;
    default:
      readSize(link, at);
  }
}

function readLinkInfo(link: Draft, at: AttributeReader): void {
  while (at.next()) {
    if (at.type === k.IFLA_INFO_KIND) link.kind = at.text();
    else if (at.type === k.IFLA_INFO_DATA && at.length > 0) link.kindData = at.hex();
  }
}

function readXdp(link: Draft, at: AttributeReader): void {
  while (at.next()) {
    const mode = XDP_MODES[at.type];
    if (mode !== undefined) link.xdpPrograms = { ...link.xdpPrograms, [mode]: at.u32() };
    else if (at.type === k.IFLA_XDP_ATTACHED) link.xdpAttached = at.u8() !== 0;
  }
}

const XDP_MODES: Readonly<Record<number, XdpMode>> = {
  [IFLA_XDP_SKB_PROG_ID]: "skb",
  [IFLA_XDP_DRV_PROG_ID]: "driver",
  [IFLA_XDP_HW_PROG_ID]: "hardware",
};

function readSize(link: Draft, at: AttributeReader): void {
  switch (at.type) {
    case k.IFLA_GSO_MAX_SIZE:
      link.gsoMaxSize = at.u32();
      break;
    case k.IFLA_GSO_MAX_SEGS:
      link.gsoMaxSegs = at.u32();
      break;
    case k.IFLA_GRO_MAX_SIZE:
      link.groMaxSize = at.u32();
      break;
    case k.IFLA_GSO_IPV4_MAX_SIZE:
      link.gsoIpv4MaxSize = at.u32();
      break;
    case k.IFLA_GRO_IPV4_MAX_SIZE:
      link.groIpv4MaxSize = at.u32();
      break;
    case k.IFLA_TSO_MAX_SIZE:
      link.tsoMaxSize = at.u32();
      break;
  }
}
