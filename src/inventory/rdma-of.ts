/** Which RDMA device belongs to a link or to a function without one. */

import type { RdmaDevice } from "../rdma/facts.ts";
import type { LinkLocation } from "../sysfs/net.ts";
import type { PciDevice } from "../sysfs/pci.ts";

/**
 * The first by name of those that have the link for a port and stand on its function, or on none (rxe, siw). For the
 * main link of a function also one whose port is not named, or is a bond over it.
 */
export function rdmaOfLink(
  devices: readonly RdmaDevice[],
  ifname: string,
  location: LinkLocation | undefined,
  isMain: boolean,
): RdmaDevice | undefined {
  const onFunction = devices.filter(
    (device) => device.pciAddress === location?.pciAddress && device.subfunction === location?.subfunction,
  );
  return (
    onFunction.find((device) => device.ifnames.includes(ifname)) ??
    (isMain ? onFunction.find((device) => device.pciAddress !== undefined) : undefined) ??
    devices.find((device) => device.pciAddress === undefined && device.ifnames.includes(ifname))
  );
}

/** The first by name on a function that shows no link. */
export function rdmaOfFunction(devices: readonly RdmaDevice[], address: string): RdmaDevice | undefined {
  return devices.find((device) => device.pciAddress === address && device.subfunction === undefined);
}

/**
 * Whether the RDMA device can be handed over by itself. A network function whose port speaks Ethernet has a netdev;
 * when none is to be seen, it is in another namespace, and the RDMA device goes with it.
 */
export function standsAlone(rdma: RdmaDevice, device: PciDevice): boolean {
  return !(device.classCode.startsWith("02") && rdma.overEthernet === true);
}
