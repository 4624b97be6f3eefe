/** Where a link stands in the device tree (`/sys/class/net/<ifname>`). */

import { carrierOf } from "./device-path.ts";
import { listNames, readLinkTarget, readNumber, readText } from "./read.ts";

export interface LinkLocation {
  /** Below `/sys/devices/virtual/net`. */
  readonly isVirtual: boolean;
  /** PCI address of the device that carries the link, also through a virtio or auxiliary bus. */
  readonly pciAddress?: string;
  /** `mlx5_core.sf.4`: the link is one of a subfunction. */
  readonly subfunction?: string;
  /** Port of the function, 0 for the first: some functions carry several links. */
  readonly devPort?: number;
  readonly physPortName?: string;
  readonly physSwitchId?: string;
}

/**
 * Locations by ifname, of those links that this sysfs shows: it belongs to the namespace that mounted it, so a link of
 * another one is left out. A virtual link costs nothing beyond its name in one listing.
 */
export function readLinkLocations(sysfsRoot: string, ifnames: readonly string[]): Record<string, LinkLocation> {
  const virtual = new Set(listNames(`${sysfsRoot}/devices/virtual/net`));
  const locations: Record<string, LinkLocation> = {};
  for (const ifname of ifnames) {
    const location = virtual.has(ifname) ? { isVirtual: true } : readLocation(sysfsRoot, ifname);
    if (location !== undefined) locations[ifname] = location;
  }
  return locations;
}

function readLocation(sysfsRoot: string, ifname: string): LinkLocation | undefined {
  const directory = `${sysfsRoot}/class/net/${ifname}`;
  const target = readLinkTarget(directory);
  if (target === undefined) return undefined;
  if (target.includes("/devices/virtual/net/")) return { isVirtual: true };
  const devPort = readNumber(`${directory}/dev_port`);
  const physPortName = readText(`${directory}/phys_port_name`);
  const physSwitchId = readText(`${directory}/phys_switch_id`);
  return {
    isVirtual: false,
    ...carrierOf(target),
    ...(devPort === undefined ? {} : { devPort }),
    ...(physPortName === undefined ? {} : { physPortName }),
    ...(physSwitchId === undefined ? {} : { physSwitchId }),
  };
}
