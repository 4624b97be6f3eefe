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

export function isOfferedLink(
  link: Link,
  location: LinkLocation | undefined,
  options: { readonly moveIbInterfaces: boolean },
): boolean {
  if ((link.flags & IFF_LOOPBACK) !== 0 || PLUMBING.has(link.ifname)) return false;
  // The switch side of a VF or subfunction: whoever takes it away cuts the other one off.
  if (isRepresentorPort(location?.physPortName)) return false;
  if (isNetnsImmutable(link)) return false;
  return options.moveIbInterfaces || !isIpoib(link);
}

/** The kernel's word where it gives one, else what is known of the kind. */
export function isNetnsImmutable(link: Link): boolean {
  if (link.netnsImmutable !== undefined) return link.netnsImmutable;
  return IMMUTABLE_KINDS.has(link.kind ?? "") || FALLBACK_TUNNELS.has(link.ifname);
}

export function isIpoib(link: Link): boolean {
  return link.kind === "ipoib" || link.arpType === ARPHRD_INFINIBAND;
}

/** With `offerVfio` those too that the administrator bound to vfio-pci. */
export function isOfferedFunction(device: PciDevice, { offerVfio }: { readonly offerVfio?: boolean }): boolean {
  if (device.driver === VFIO_PCI) return offerVfio === true;
  return device.driver !== undefined && !PASS_THROUGH_DRIVERS.has(device.driver);
}

export const VFIO_PCI = "vfio-pci";
