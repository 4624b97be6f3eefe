/** Which of a namespace's links is the claimed one. Pure. */

import type { ClaimDevice, LinkAttachment } from "../claims/record.ts";
import type { DeviceIdentity } from "../inventory/device.ts";
import type { Link } from "../netlink/link.ts";

/** A device at home, by what its inventory entry says: hardware by bus address, a virtual link by name and kind. */
export function findPublished(identity: DeviceIdentity, links: readonly Link[]): Link | undefined {
  const { pciAddress, kind, ifname, permanentAddress } = identity;
  if (pciAddress === undefined || kind !== undefined)
    return links.find((link) => link.ifname === ifname && link.kind === kind);
  const ports = links.filter((link) => link.kind === undefined && link.parentDevName === pciAddress);
  return (
    ports.find((link) => link.permanentAddress === permanentAddress) ??
    ports[0] ??
    // Between the function and its link there may be another bus, as with virtio.
    links.find((link) => link.ifname === ifname && link.kind === undefined && link.parentDevBusName !== "pci")
  );
}

/**
 * The claimed link among those of the pod's namespace, also when the pod renamed it: by the name it travels under, for
 * hardware by what cannot be renamed, by the index it got there, and by its name in the pod. What the pod itself made
 * under such a name or index is of another kind.
 */
export function findInPod(
  { plan }: Pick<ClaimDevice, "plan">,
  attachment: LinkAttachment,
  links: readonly Link[],
): Link | undefined {
  const { temporaryName, ifindex } = attachment;
  const { child, ifname, movedBy } = plan;
  const isLike = child === undefined ? likeness(attachment) : (link: Link) => link.kind === child.kind;
  const candidates = links.filter(isLike);
  return (
    candidates.find((link) => link.ifname === temporaryName) ??
    candidates.find((link) => child === undefined && isSameHardware(attachment, link)) ??
    candidates.find((link) => link.ifindex === ifindex) ??
    (ifindex === undefined && movedBy === undefined ? undefined : candidates.find((link) => link.ifname === ifname))
  );
}

/** The claimed link among those of the host, where the kernel, udev or an interrupted return may have left it. */
export function findOnHost(attachment: LinkAttachment, links: readonly Link[]): Link | undefined {
  const { snapshot, temporaryName } = attachment;
  const candidates = links.filter(likeness(attachment));
  return (
    candidates.find((link) => link.ifname === temporaryName) ??
    candidates.find((link) => isSameHardware(attachment, link)) ??
    candidates.find((link) => link.ifname === snapshot.link.ifname)
  );
}

/** The kernel gives a name that is free to whatever comes next: a name alone says nothing. */
function likeness({ snapshot: { link: known } }: LinkAttachment): (link: Link) => boolean {
  return (link) => link.kind === known.kind && (known.kind !== undefined || isOnSameDevice(known, link));
}

function isOnSameDevice(known: Link, link: Link): boolean {
  return known.parentDevName === link.parentDevName && known.parentDevBusName === link.parentDevBusName;
}

/**
 * The bus address decides; a function with two ports also needs the permanent MAC, which a function that is reset or
 * bound anew does not keep: such a one has a single link. Virtual links have neither.
 */
function isSameHardware({ snapshot: { link: known }, pciFunction }: LinkAttachment, link: Link): boolean {
  if (known.kind !== undefined || known.parentDevName === undefined) return false;
  return (
    link.kind === undefined &&
    isOnSameDevice(known, link) &&
    (pciFunction !== undefined ||
      known.permanentAddress === undefined ||
      known.permanentAddress === link.permanentAddress)
  );
}
