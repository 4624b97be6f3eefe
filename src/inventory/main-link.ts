/** Where links stand, and which of the links of a PCI function stands for the function itself. */

import type { Link } from "../netlink/link.ts";
import { isRepresentorPort } from "../sysfs/device-path.ts";
import type { LinkLocation } from "../sysfs/net.ts";

/**
 * By index. Sysfs knows links by name only and may show another namespace: a link of a software kind that it places
 * on hardware is a namesake. IPoIB is the one kind of which hardware makes links.
 */
export function locationsByIndex(
  links: readonly Link[],
  locations: Readonly<Record<string, LinkLocation>>,
): ReadonlyMap<number, LinkLocation> {
  return new Map(
    links.map((link) => {
      const isSoftware = link.kind !== undefined && link.kind !== "ipoib";
      // A link that sysfs does not show has no parent device that we know of.
      return [link.ifindex, (isSoftware ? undefined : locations[link.ifname]) ?? { isVirtual: true }];
    }),
  );
}

/**
 * Indices of the links that are merged with their function, by PCI address. A function in switchdev mode also carries
 * the representors of others, and may carry subfunctions; a two-port one may carry two links. The main one is neither
 * of the former, and the first port of the latter. IPoIB children share their parent's function: its first in name.
 */
export function mainLinks(
  links: readonly Link[],
  locations: ReadonlyMap<number, LinkLocation>,
): ReadonlyMap<string, number> {
  const main = new Map<string, { readonly link: Link; readonly port: number }>();
  for (const link of links) {
    const location = locations.get(link.ifindex);
    if (location?.pciAddress === undefined || location.subfunction !== undefined) continue;
    if (isRepresentorPort(location.physPortName)) continue;
    const port = location.devPort ?? 0;
    const other = main.get(location.pciAddress);
    if (other === undefined || port < other.port || (port === other.port && link.ifname < other.link.ifname)) {
      main.set(location.pciAddress, { link, port });
    }
  }
  return new Map([...main].map(([address, { link }]) => [address, link.ifindex]));
}
