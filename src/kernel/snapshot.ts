/** What a link is before it leaves its namespace. */

import { type Address, IFA_F_NOPREFIXROUTE, IFA_F_PERMANENT } from "../netlink/address.ts";
import { listAddresses } from "../netlink/addresses.ts";
import { NUD_NOARP } from "../netlink/constants.ts";
import { networkOf, parseIp } from "../netlink/ip.ts";
import { getLink, requireLink } from "../netlink/links.ts";
import { type Neighbor, NUD_PERMANENT } from "../netlink/neighbor.ts";
import { listNeighbors } from "../netlink/neighbors.ts";
import { type Route, RTPROT_KERNEL } from "../netlink/route.ts";
import { listRoutes } from "../netlink/routes.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import type { LinkSnapshot, NetnsRef } from "./calls.ts";
import { readEthtool } from "./link-ethtool.ts";
import { readLinkPrograms } from "./link-programs.ts";
import { readLinkSysctls } from "./link-sysctls.ts";
import type { Namespaces } from "./namespaces.ts";

const RTPROT_REDIRECT = 1;
const RTPROT_RA = 9;
const NTF_PROXY = 8;

/** Throws SysError ENODEV when the link is not there. */
export function snapshotLink(namespaces: Namespaces, netns: NetnsRef, ifindex: number): LinkSnapshot {
  return namespaces.withSocket(netns, (socket) => {
    const takenAtMs = Date.now();
    const link = requireLink(socket, ifindex);
    const lowerName = link.linkNetnsId === undefined && link.lower !== ifindex ? nameOf(socket, link.lower) : undefined;
    const masterName = nameOf(socket, link.master);
    const addresses = listAddresses(socket, ifindex);
    return {
      takenAtMs,
      link,
      ...(lowerName === undefined ? {} : { lowerName }),
      ...(masterName === undefined ? {} : { masterName }),
      addresses,
      routes: listRoutes(socket, { ifindex }).filter((route) => isOwn(route, addresses)),
      neighbors: listNeighbors(socket, ifindex).filter(isKept),
      sysctls: namespaces.inside(netns, () => readLinkSysctls(link.ifname, link.mtu)),
      programs: readLinkPrograms({ socket, inside: (task) => namespaces.inside(netns, task) }, ifindex),
      ethtool: namespaces.withGeneric(netns, (generic) => readEthtool(generic, ifindex)),
    };
  });
}

function nameOf(socket: NetlinkSocket, ifindex: number | undefined): string | undefined {
  return ifindex === undefined || ifindex === 0 ? undefined : getLink(socket, { ifindex })?.ifname;
}

/**
 * Not what the kernel makes of an address or a router's word: it makes that again. For an address that it was told to
 * make no route for, NetworkManager writes one in the kernel's name.
 */
function isOwn({ protocol, destination }: Route, addresses: readonly Address[]): boolean {
  if (protocol === RTPROT_KERNEL) return addresses.some((address) => isPrefixRoute(destination, address));
  return protocol !== RTPROT_RA && protocol !== RTPROT_REDIRECT;
}

function isPrefixRoute(destination: string, { family, local, prefixLength, flags }: Address): boolean {
  const isByHand = (flags & IFA_F_PERMANENT) !== 0 && (flags & IFA_F_NOPREFIXROUTE) !== 0;
  return isByHand && destination === networkOf(family, local, prefixLength);
}

/** What was set by hand; the kernel itself makes NOARP entries for multicast. */
function isKept({ family, destination, state, flags }: Neighbor): boolean {
  if ((state & NUD_PERMANENT) !== 0 || (flags & NTF_PROXY) !== 0) return true;
  return (state & NUD_NOARP) !== 0 && !isMulticast(parseIp(family, destination));
}

function isMulticast(address: Uint8Array): boolean {
  const first = address[0] ?? 0;
  return address.length === 4 ? first >= 224 : first === 0xff;
}
