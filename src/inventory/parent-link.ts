/** Which link a link stands on. */

import type { Link } from "../netlink/link.ts";

/** Kinds whose IFLA_LINK is the link that carries their packets. A veth's is its peer, a tunnel's only a hint. */
const CHILD_KINDS: ReadonlySet<string> = new Set(["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"]);

/**
 * The link at the bottom: the PF of a macvlan on a vlan of it. The link itself when it stands on none, or on one that
 * is in another namespace.
 */
export function bottomLink(link: Link, links: ReadonlyMap<number, Link>): Link {
  const seen = new Set<Link>();
  for (let at = link; !seen.has(at); ) {
    seen.add(at);
    const { kind = "", lower, linkNetnsId } = at;
    const below = CHILD_KINDS.has(kind) && lower !== undefined && linkNetnsId === undefined && links.get(lower);
    if (!below) return at;
    at = below;
  }
  return link;
}
