import type { ClaimDevice, LinkAttachment } from "../claims/record.ts";
import type { DeviceIdentity } from "../inventory/device.ts";
import type { Link } from "../netlink/link.ts";

/** A device at home, by what its inventory entry says: hardware by bus address, a virtual link by name and kind. */
export function findPublished(identity: DeviceIdentity, links: readonly Link[]): Link | undefined {
  if (identity.pciAddress !== undefined && identity.kind === undefined) {
    const ports = links.filter((link) => link.kind === undefined && link.parentDevName === identity.pciAddress);
    return (
      ports.find((link) => link.permanentAddress === identity.permanentAddress) ?? ports[0] ?? byName(identity, links)
    );
  }
  return byName(identity, links);
}

function byName(identity: DeviceIdentity, links: readonly Link[]): Link | undefined {
  return links.find((link) => link.ifname === identity.ifname && link.kind === identity.kind);
}

/**
 * The claimed link among those of the pod's namespace, also when the pod renamed it: by the name it travels under, by
 * the index it got there, and for hardware by what cannot be renamed.
 */
export function findInPod(record: ClaimDevice, attachment: LinkAttachment, links: readonly Link[]): Link | undefined {
  const { snapshot, temporaryName, ifindex } = attachment;
  const { child, ifname, movedBy } = record.plan;
  const kind = child === undefined ? snapshot.link.kind : child.kind;
  return (
    links.find((link) => link.ifname === temporaryName) ??
    links.find((link) => child === undefined && isSameHardware(attachment, link)) ??
    links.find((link) => link.ifindex === ifindex && link.kind === kind) ??
    (ifindex === undefined && movedBy === undefined
      ? undefined
      : links.find((link) => link.ifname === ifname && link.kind === kind))
  );
}

/** The claimed link among those of the host, where the kernel, udev or an interrupted return may have left it. */
export function findOnHost(attachment: LinkAttachment, links: readonly Link[]): Link | undefined {
  const { snapshot, temporaryName } = attachment;
  return (
    links.find((link) => link.ifname === temporaryName) ??
    links.find((link) => isSameHardware(attachment, link)) ??
    links.find((link) => link.ifname === snapshot.link.ifname && link.kind === snapshot.link.kind)
  );
}

/**
 * The bus address decides; a function with two ports also needs the permanent MAC, which a function that is reset or
 * bound anew does not keep: such a one has a single link. Virtual links have neither.
 */
function isSameHardware({ snapshot: { link: known }, pciFunction }: LinkAttachment, link: Link): boolean {
  if (known.kind !== undefined || known.parentDevName === undefined) return false;
  return (
    known.parentDevName === link.parentDevName &&
    known.parentDevBusName === link.parentDevBusName &&
    link.kind === undefined &&
    (pciFunction !== undefined ||
      known.permanentAddress === undefined ||
      known.permanentAddress === link.permanentAddress)
  );
}
