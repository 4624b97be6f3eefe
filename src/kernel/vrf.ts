/** A link's way into a VRF of its namespace (Documentation/networking/vrf.rst of the kernel). */

import { NotSupportedError } from "../lib/errors.ts";
import type { Link } from "../netlink/link.ts";
import { changeLink, createLink, getLink, requireLink, setLinkUp } from "../netlink/links.ts";
import { vrfData } from "../netlink/new-kind-data.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { accepting, ENOENT, EOPNOTSUPP, isErrno } from "./errnos.ts";
import { writeLinkSysctl, writeNamespaceSysctl } from "./link-sysctls.ts";
import type { StepTarget } from "./step-target.ts";

/** With these a server that listens on no VRF in particular hears what comes in by any. */
const L3MDEV_ACCEPT = ["ipv4/tcp_l3mdev_accept", "ipv4/udp_l3mdev_accept"];

/** To the kernel's routing, what comes in by a link of a VRF came in by the VRF. As far as the kernel has them. */
const FORWARDING = [
  { family: "ipv4", table: "conf", key: "forwarding", value: "1" },
  { family: "ipv6", table: "conf", key: "forwarding", value: "1" },
  { family: "ipv6", table: "conf", key: "force_forwarding", value: "1" },
] as const;

/** Throws when the namespace has another link of that name, or a VRF with another table. */
export function joinVrf(
  { socket, ifindex, inside }: Pick<StepTarget, "socket" | "ifindex" | "inside">,
  { name, table, forwards }: { readonly name: string; readonly table: number; readonly forwards?: boolean },
): void {
  const vrf = getLink(socket, { ifname: name }) ?? makeVrf(socket, name, table);
  if (vrf.kind !== "vrf")
    throw new Error(
      `${name} is to be a VRF, but the pod has another link of that name (${vrf.kind ?? "a physical one"}): give interface.vrf another name`,
    );
  if (vrf.kindData !== vrfData(table))
    throw new Error(`VRF ${name} is there already, with another routing table than ${table}`);
  setLinkUp(socket, vrf.ifindex, true);
  if (requireLink(socket, ifindex).master !== vrf.ifindex) changeLink(socket, ifindex, { master: vrf.ifindex });
  for (const path of L3MDEV_ACCEPT) inside(() => writeNamespaceSysctl(path, "1"));
  if (forwards === true)
    for (const sysctl of FORWARDING) accepting([ENOENT], () => inside(() => writeLinkSysctl(name, sysctl)));
}

function makeVrf(socket: NetlinkSocket, name: string, table: number): Link {
  try {
    createLink(socket, { ifname: name, kind: "vrf", kindData: vrfData(table) });
  } catch (cause) {
    if (!isErrno(cause, EOPNOTSUPP)) throw cause;
    throw new NotSupportedError(
      `VRF ${name}`,
      "the kernel of this node has no links of kind vrf: load its module vrf",
      {
        cause,
      },
    );
  }
  const made = getLink(socket, { ifname: name });
  if (made === undefined) throw new Error(`VRF ${name} is gone as soon as it was made`);
  return made;
}
