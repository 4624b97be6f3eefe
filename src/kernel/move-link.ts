/** Moving a link to another namespace, although the kernel may report an error and have moved it all the same. */

import { SysError } from "../../ffi/sys-error.ts";
import type { Link } from "../netlink/link.ts";
import { changeLink, getLink, linkName, listLinks } from "../netlink/links.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { ENODEV } from "./errnos.ts";

/** Both ends of a move. */
export interface Passage {
  readonly from: NetlinkSocket;
  readonly to: NetlinkSocket;
  readonly fromFd: number;
  readonly toFd: number;
}

/**
 * Moves the link under `temporaryName`, which must be free on both sides, and answers its index in the target. When the
 * kernel refuses, the link is where it was, under its own name; a link that has moved already counts as moved. Throws
 * SysError: the kernel's refusal, or ENODEV when the link is in neither namespace.
 */
export function moveLink(passage: Passage, ifindex: number, temporaryName: string): number {
  const link = getLink(passage.from, { ifindex });
  if (link !== undefined) {
    try {
      // Bridges let go of a link that moves, VRFs do not, and nobody would find the two together again.
      if (link.master !== undefined && link.master !== 0) changeLink(passage.from, ifindex, { master: 0 });
      changeLink(passage.from, ifindex, { ifname: temporaryName, netnsFd: passage.toFd });
    } catch (error) {
      settle(passage, link, temporaryName, error);
    }
  }
  const moved = getLink(passage.to, { ifname: temporaryName });
  if (moved === undefined) throw new SysError("RTM_NEWLINK", ENODEV, `${linkName(ifindex)}, gone from both namespaces`);
  return moved.ifindex;
}

/**
 * After an error: throws it when the link stands where it stood. When the link moved under its own name, because the
 * kernel stumbled over the rename, names it again; when that fails too, takes it back and throws.
 */
function settle(passage: Passage, link: Link, temporaryName: string, error: unknown): void {
  if (getLink(passage.from, { ifindex: link.ifindex })?.ifname === link.ifname) throw error;
  const arrived = listLinks(passage.to).filter((candidate) => isSame(candidate, link));
  if (arrived.some(({ ifname }) => ifname === temporaryName)) return;
  const stray = arrived.find(({ ifname }) => ifname === link.ifname);
  if (stray === undefined) throw error;
  try {
    changeLink(passage.to, stray.ifindex, { ifname: temporaryName });
  } catch {
    changeLink(passage.to, stray.ifindex, { netnsFd: passage.fromFd });
    throw error;
  }
}

/** What a move keeps. A stranger may have the name. */
function isSame(a: Link, b: Link): boolean {
  return a.kind === b.kind && a.address === b.address && a.arpType === b.arpType && a.alias === b.alias;
}
