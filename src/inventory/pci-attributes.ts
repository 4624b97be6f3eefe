/** Attributes of a device that come from its PCI function. */

import type { PciDevice } from "../sysfs/pci.ts";
import type { Attributes, StandardAttributes } from "./attributes.ts";
import type { PciNames } from "./pci-ids.ts";
import { clampText } from "./text-limit.ts";

/**
 * What the function is and where. Vendor and device are names of pci.ids, or ids where it has none; the subsystem is
 * the id of the subsystem's device in four hex digits, as DRANET publishes it (`efa1`).
 */
export function functionAttributes(device: PciDevice, names: PciNames): Attributes & StandardAttributes {
  const { vendor, subsystemDevice } = device;
  return {
    pciAddress: { string: device.address },
    "resource.kubernetes.io/pciBusID": { string: device.address },
    pciVendor: { string: clampText(names.vendorName(vendor) ?? vendor) },
    pciDevice: { string: clampText(names.deviceName(vendor, device.device) ?? device.device) },
    ...(subsystemDevice === undefined ? {} : { pciSubsystem: { string: subsystemDevice } }),
    ...placeAttributes(device),
  };
}

/** Where the function is, which holds for all that hangs on it: a claim can ask for a GPU and a NIC under one root port. */
export function placeAttributes(device: PciDevice): Attributes & StandardAttributes {
  const { pcieRoot, numaNode } = device;
  return {
    ...(numaNode === undefined ? {} : { numaNode: { int: numaNode } }),
    ...(numaNode === undefined ? {} : { "resource.kubernetes.io/numaNode": { int: numaNode } }),
    ...(pcieRoot === undefined ? {} : { "resource.kubernetes.io/pcieRoot": { string: pcieRoot } }),
  };
}
