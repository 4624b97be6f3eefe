/** Attributes of a device that come from its PCI function. */

import type { PciDevice } from "../sysfs/pci.ts";
import type { AttributeValue } from "./device.ts";
import type { PciNames } from "./pci-ids.ts";
import { clampText } from "./text-limit.ts";

/**
 * Without their domain. Vendor and device are names of pci.ids, or ids where it has none; the subsystem is the id of
 * the subsystem's device in four hex digits, as DRANET publishes it (`efa1`).
 */
export function pciAttributes(device: PciDevice, names: PciNames): Record<string, AttributeValue> {
  const { vendor, subsystemDevice, numaNode } = device;
  return {
    pciAddress: { string: device.address },
    pciVendor: { string: clampText(names.vendorName(vendor) ?? vendor) },
    pciDevice: { string: clampText(names.deviceName(vendor, device.device) ?? device.device) },
    ...(subsystemDevice === undefined ? {} : { pciSubsystem: { string: subsystemDevice } }),
    ...(numaNode === undefined ? {} : { numaNode: { int: numaNode } }),
  };
}

/**
 * Those that drivers share, by full name (k8s.io/dynamic-resource-allocation/deviceattribute, KEP-6072), so that a
 * claim can ask for a GPU and a NIC under one root port or on one NUMA node.
 */
export function standardAttributes(device: PciDevice): Record<string, AttributeValue> {
  return { "resource.kubernetes.io/pciBusID": { string: device.address }, ...topologyAttributes(device) };
}

/** The standard ones that hold for whatever hangs on the function, and not for the function alone. */
export function topologyAttributes(device: PciDevice): Record<string, AttributeValue> {
  const { pcieRoot, numaNode } = device;
  return {
    ...(pcieRoot === undefined ? {} : { "resource.kubernetes.io/pcieRoot": { string: pcieRoot } }),
    ...(numaNode === undefined ? {} : { "resource.kubernetes.io/numaNode": { int: numaNode } }),
  };
}
