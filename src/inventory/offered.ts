/** Which links and functions can be offered at all. */

import { IFF_LOOPBACK, type Link } from "../netlink/link.ts";
import { isRepresentorPort } from "../sysfs/device-path.ts";
import type { LinkLocation } from "../sysfs/net.ts";
import type { PciDevice } from "../sysfs/pci.ts";

/** Links that belong to Docker's and Cilium's own plumbing; DRANET leaves out the same ones. */
const PLUMBING: ReadonlySet<string> = new Set(["docker0", "cilium_net", "cilium_host"]);

/** Kinds that the kernel refuses to move, for kernels older than IFLA_NETNS_IMMUTABLE (NETIF_F_NETNS_LOCAL in their drivers). */
const IMMUTABLE_KINDS: ReadonlySet<string> = new Set(["bridge", "bond", "team", "vrf", "hsr", "batadv", "openvswitch"]);

/** The devices that each tunnel module makes for itself in every namespace; of the same kinds as movable ones. */
const FALLBACK_TUNNELS: ReadonlySet<string> = new Set([
  "tunl0",
  "sit0",
  "gre0",
  "gretap0",
  "erspan0",
  "ip_vti0",
  "ip6tnl0",
  "ip6gre0",
  "ip6_vti0",
]);

const ARPHRD_INFINIBAND = 32;

/** Drivers that give a function to user space or to a guest: it has neither a link nor an RDMA device to hand over. */
const PASS_THROUGH_DRIVERS: ReadonlySet<string> = new Set(["uio_pci_generic", "igb_uio", "pci-stub"]);

/** Why the link cannot be offered, as the end of a sentence about it; `undefined` where it can. */
export function linkProblem(
  link: Link,
  location: LinkLocation | undefined,
  options: { readonly moveIbInterfaces: boolean },
): string | undefined {
  if ((link.flags & IFF_LOOPBACK) !== 0) return "is a loopback link, and every pod has its own";
  if (PLUMBING.has(link.ifname)) return "is plumbing of Docker or Cilium";
  if (isRepresentorPort(location?.physPortName))
    return "is the switch side of a VF or subfunction, which would be cut off without it";
  if (isNetnsImmutable(link)) return "is of a kind that the kernel moves to no other namespace";
  return options.moveIbInterfaces || !isIpoib(link) ? undefined : "stays, as --move-ib-interfaces=false says";
}

/** The kernel's word where it gives one, else what is known of the kind. */
export function isNetnsImmutable(link: Link): boolean {
  if (link.netnsImmutable !== undefined) return link.netnsImmutable;
  return IMMUTABLE_KINDS.has(link.kind ?? "") || FALLBACK_TUNNELS.has(link.ifname);
}

export function isIpoib(link: Link): boolean {
  return link.kind === "ipoib" || link.arpType === ARPHRD_INFINIBAND;
}

/** The same for a function of the PCI bus. */
export function functionProblem(
  { driver }: Pick<PciDevice, "driver">,
  { offerVfio }: { readonly offerVfio?: boolean },
): string | undefined {
  if (driver === undefined) return "has no driver";
  if (driver === VFIO_PCI) return offerVfio === true ? undefined : "is bound to vfio-pci, and --offer-vfio is not set";
  return PASS_THROUGH_DRIVERS.has(driver) ? "is bound to a driver that gives it to user space" : undefined;
}

export const VFIO_PCI = "vfio-pci";
