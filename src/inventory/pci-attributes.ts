/** Attributes of a device that come from its PCI function. */

import { type NumaNode, nearNodes } from "../sysfs/numa.ts";
import type { PciDevice } from "../sysfs/pci.ts";
import type { Attributes, StandardAttributes } from "./attributes.ts";
import type { PciNames } from "./pci-ids.ts";
import { clampText } from "./text-limit.ts";

/**
 * What the function is and where. Vendor and device are names of pci.ids, or ids where it has none; the subsystem is
 * the id of the subsystem's device in four hex digits, as DRANET publishes it (`efa1`).
 */
export function functionAttributes(device: PciDevice, names: PciNames): Attributes {
  const { vendor, subsystemDevice } = device;
  return {
    pciAddress: { string: device.address },
    pciVendor: { string: clampText(names.vendorName(vendor) ?? vendor) },
    pciDevice: { string: clampText(names.deviceName(vendor, device.device) ?? device.device) },
    ...(subsystemDevice === undefined ? {} : { pciSubsystem: { string: subsystemDevice } }),
  };
}

/**
 * Where the function is, which holds for all that hangs on it: a claim can ask for a GPU and a NIC under one root port.
 * With `nodes` the standard NUMA attribute is a list.
 */
export function placeAttributes(
  { pcieRoot, numaNode }: Pick<PciDevice, "pcieRoot" | "numaNode">,
  nodes?: readonly NumaNode[],
): Attributes & StandardAttributes {
  const standard = (node: number) => (nodes === undefined ? { int: node } : { ints: nearNodes(node, nodes) });
  return {
    ...(numaNode === undefined ? {} : { numaNode: { int: numaNode } }),
    ...(numaNode === undefined ? {} : { "resource.kubernetes.io/numaNode": standard(numaNode) }),
    ...(pcieRoot === undefined ? {} : { "resource.kubernetes.io/pcieRoot": { string: pcieRoot } }),
  };
}
