/** Links: list, look up, change. Everything happens in the namespace of the socket. */

import { constants } from "node:os";
import { NlMessage } from "../../ffi/libnl.ts";
import { type LinkFields, linkAddMessage, linkChangeMessage, linkDeleteMessage } from "../../ffi/libnl-route.ts";
import { SysError } from "../../ffi/sys-error.ts";
import { AttributeBytes, putNested, text, u32 } from "./attribute-writer.ts";
import * as k from "./constants.ts";
import { parseMac } from "./ip.ts";
import { settableKindData } from "./kind-data.ts";
import { IFF_UP, type Link } from "./link.ts";
import { decodeLink, encodeIfinfo } from "./link-codec.ts";
import type { Answer, NetlinkSocket } from "./socket.ts";

function readLink(answer: Answer): Link | undefined {
  return answer.type === k.RTM_NEWLINK ? decodeLink(answer.payload) : undefined;
}

export function listLinks(socket: NetlinkSocket): Link[] {
  const build = () =>
    new NlMessage(k.RTM_GETLINK, k.NLM_F_REQUEST | k.NLM_F_DUMP)
      .append(encodeIfinfo(0))
      .put(k.IFLA_EXT_MASK, u32(k.RTEXT_FILTER_SKIP_STATS));
  return socket.dump("RTM_GETLINK", "all links", build, readLink);
}

/** By index or by name, not by altname; `undefined` when there is none. */
export function getLink(
  socket: NetlinkSocket,
  key: { readonly ifindex: number } | { readonly ifname: string },
): Link | undefined {
  using message = new NlMessage(k.RTM_GETLINK, k.NLM_F_REQUEST);
  message.append(encodeIfinfo("ifindex" in key ? key.ifindex : 0));
  if ("ifname" in key) message.put(k.IFLA_IFNAME, text(key.ifname));
  message.put(k.IFLA_EXT_MASK, u32(k.RTEXT_FILTER_SKIP_STATS));
  const name = "ifindex" in key ? linkName(key.ifindex) : `link ${key.ifname}`;
  try {
    return socket.get("RTM_GETLINK", name, message, readLink);
  } catch (error) {
    if (error instanceof SysError && error.errno === constants.errno.ENODEV) return undefined;
    throw error;
  }
}

/** Like `getLink`, but throws SysError ENODEV when there is none. */
export function requireLink(socket: NetlinkSocket, ifindex: number): Link {
  const link = getLink(socket, { ifindex });
  if (link === undefined) throw new SysError("RTM_GETLINK", constants.errno.ENODEV, linkName(ifindex));
  return link;
}

export interface LinkChange {
  readonly ifname?: string;
  readonly address?: string;
  readonly mtu?: number;
  readonly txQueueLen?: number;
  readonly group?: number;
  readonly master?: number;
  /** Descriptor of the namespace that the link is to move to. */
  readonly netnsFd?: number;
}

export function changeLink(socket: NetlinkSocket, ifindex: number, change: LinkChange): void {
  const { address, ...rest } = change;
  const fields: LinkFields = { ...rest, ...(address === undefined ? {} : { address: parseMac(address) }) };
  using message = linkChangeMessage(ifindex, fields);
  socket.request("RTM_NEWLINK", linkName(ifindex), message);
}

/** Up or down; the other flags stay. */
export function setLinkUp(socket: NetlinkSocket, ifindex: number, up: boolean): void {
  sendChange(socket, ifindex, encodeIfinfo(ifindex, up ? IFF_UP : 0, IFF_UP), () => undefined);
}

/** An empty alias removes it. */
export function setLinkAlias(socket: NetlinkSocket, ifindex: number, alias: string): void {
  sendChange(socket, ifindex, encodeIfinfo(ifindex), (message) =>
    message.put(k.IFLA_IFALIAS, new Uint8Array(Buffer.from(alias))),
  );
}

export type OffloadSizes = Partial<
  Record<"gsoMaxSize" | "gsoMaxSegs" | "groMaxSize" | "gsoIpv4MaxSize" | "groIpv4MaxSize", number>
>;

/** Bytes and segments. The general sizes go first: setting one at or below 65536 sets the IPv4 one too. */
export function setOffloadSizes(socket: NetlinkSocket, ifindex: number, sizes: OffloadSizes): void {
  sendChange(socket, ifindex, encodeIfinfo(ifindex), (message) => {
    if (sizes.gsoMaxSize !== undefined) message.put(k.IFLA_GSO_MAX_SIZE, u32(sizes.gsoMaxSize));
    if (sizes.gsoMaxSegs !== undefined) message.put(k.IFLA_GSO_MAX_SEGS, u32(sizes.gsoMaxSegs));
    if (sizes.groMaxSize !== undefined) message.put(k.IFLA_GRO_MAX_SIZE, u32(sizes.groMaxSize));
    if (sizes.gsoIpv4MaxSize !== undefined) message.put(k.IFLA_GSO_IPV4_MAX_SIZE, u32(sizes.gsoIpv4MaxSize));
    if (sizes.groIpv4MaxSize !== undefined) message.put(k.IFLA_GRO_IPV4_MAX_SIZE, u32(sizes.groIpv4MaxSize));
  });
}

/** Throws SysError EEXIST when the name is taken, by this link too. */
export function addAltname(socket: NetlinkSocket, ifindex: number, altname: string): void {
  changeAltname(socket, "RTM_NEWLINKPROP", ifindex, altname);
}

/** Throws SysError ENOENT or EINVAL when the link has no such name. */
export function removeAltname(socket: NetlinkSocket, ifindex: number, altname: string): void {
  changeAltname(socket, "RTM_DELLINKPROP", ifindex, altname);
}

export function deleteLink(socket: NetlinkSocket, ifindex: number): void {
  using message = linkDeleteMessage(ifindex);
  socket.request("RTM_DELLINK", linkName(ifindex), message);
}

export interface LinkCreation {
  readonly ifname: string;
  readonly kind: string;
  /** Payload of IFLA_INFO_DATA in hex. */
  readonly kindData?: string;
  readonly lower?: number;
  readonly address?: string;
  readonly mtu?: number;
  /** For `veth`: name of the other end. */
  readonly peerName?: string;
  /** Descriptor of the namespace that the link is made in; the lower device is looked up in the socket's. */
  readonly netnsFd?: number;
}

/** Throws SysError EEXIST when the name is taken. */
export function createLink(socket: NetlinkSocket, creation: LinkCreation): void {
  const { ifname, kind, kindData, lower, address, mtu, peerName, netnsFd } = creation;
  const fields: LinkFields = {
    ifname,
    ...(lower === undefined ? {} : { lower }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(address === undefined ? {} : { address: parseMac(address) }),
    ...(netnsFd === undefined ? {} : { netnsFd }),
  };
  using message = linkAddMessage(fields, k.NLM_F_CREATE | k.NLM_F_EXCL);
  const data = peerName === undefined ? settable(kind, kindData) : vethData(peerName);
  putNested(message, k.IFLA_LINKINFO, (info) => {
    info.put(k.IFLA_INFO_KIND, text(kind));
    if (data !== undefined) info.put(k.IFLA_INFO_DATA | k.NLA_F_NESTED, data);
  });
  socket.request("RTM_NEWLINK", `new ${kind} ${ifname}`, message);
}

/** VETH_INFO_PEER holds a struct ifinfomsg and the peer's attributes. */
function vethData(peerName: string): Uint8Array {
  const peer = new AttributeBytes().append(encodeIfinfo(0)).put(k.IFLA_IFNAME, text(peerName));
  return new AttributeBytes().put(k.VETH_INFO_PEER, peer.bytes).bytes;
}

function settable(kind: string, kindData: string | undefined): Uint8Array | undefined {
  return kindData === undefined ? undefined : settableKindData(kind, Uint8Array.fromHex(kindData));
}

function changeAltname(
  socket: NetlinkSocket,
  op: "RTM_NEWLINKPROP" | "RTM_DELLINKPROP",
  ifindex: number,
  altname: string,
): void {
  using message =
    op === "RTM_NEWLINKPROP"
      ? new NlMessage(k.RTM_NEWLINKPROP, k.NLM_F_REQUEST | k.NLM_F_EXCL | k.NLM_F_CREATE)
      : new NlMessage(k.RTM_DELLINKPROP, k.NLM_F_REQUEST);
  message.append(encodeIfinfo(ifindex));
  putNested(message, k.IFLA_PROP_LIST, (props) => props.put(k.IFLA_ALT_IFNAME, text(altname)));
  socket.request(op, `altname ${altname} of ${linkName(ifindex)}`, message);
}

function sendChange(
  socket: NetlinkSocket,
  ifindex: number,
  header: Uint8Array,
  fill: (message: NlMessage) => unknown,
): void {
  using message = new NlMessage(k.RTM_NEWLINK, k.NLM_F_REQUEST);
  message.append(header);
  fill(message);
  socket.request("RTM_NEWLINK", linkName(ifindex), message);
}

export function linkName(ifindex: number): string {
  return `link ${ifindex}`;
}
