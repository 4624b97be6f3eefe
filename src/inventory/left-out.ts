/** What of a host is not among its devices, and why: pure. */

import type { Device } from "./device.ts";
import type { InventoryOptions } from "./devices-of.ts";
import type { InventoryFacts } from "./facts.ts";
import { locationsByIndex } from "./main-link.ts";
import { pciDeviceName } from "./names.ts";
import { functionProblem, linkProblem } from "./offered.ts";
import { uplinkIfindexes } from "./uplink.ts";

export interface LeftOut {
  /** Of the link, or of the device that the function would be. */
  readonly name: string;
  /** The end of a sentence that begins with the name. */
  readonly why: string;
}

/** `devices` are those of the same facts. Sorted by name; loopback links, which nobody misses, are passed over. */
export function leftOut(
  facts: InventoryFacts,
  options: Pick<InventoryOptions, "moveIbInterfaces" | "offerVfio">,
  devices: readonly Device[],
): readonly LeftOut[] {
  const ifindexes = new Set(devices.map(({ identity }) => identity.ifindex));
  const addresses = new Set(devices.map(({ identity }) => identity.pciAddress));
  const uplinks = uplinkIfindexes(facts);
  const locations = locationsByIndex(facts.links, facts.locations);
  const links = facts.links
    .filter(({ ifindex, ifname }) => !ifindexes.has(ifindex) && ifname !== "lo")
    .map((link) => {
      const why = uplinks.has(link.ifindex)
        ? "is the host's uplink, or a part of it"
        : linkProblem(link, locations.get(link.ifindex), options);
      return { name: link.ifname, why: why ?? "goes with its function" };
    });
  const named = new Set(facts.links.map(({ ifindex }) => locations.get(ifindex)?.pciAddress));
  const functions = facts.pci
    .filter(({ address }) => !addresses.has(address) && !named.has(address))
    .map((device) => ({
      name: pciDeviceName(device.address),
      why: functionProblem(device, options) ?? "has its link in another network namespace, as one that a pod has",
    }));
  return [...links, ...functions].sort((a, b) => (a.name < b.name ? -1 : 1));
}
