/** What a cloud says about the host's devices, once its metadata have been read. */

import type { NetworkConfig } from "../config/network-config.ts";
import type { AttributeValue, Device } from "../inventory/device.ts";
import type { InventoryFacts } from "../inventory/facts.ts";
import type { ChildNetwork } from "./child-network.ts";

/** By full name, `gce.dra.net/block`. */
export type CloudAttributes = Readonly<Record<string, AttributeValue>>;

/** What is known of a device here, to find it in what the cloud knows. */
export interface DeviceView {
  /** The link's name; that of the device where there is no link. */
  readonly name: string;
  /** In lower case with colons. */
  readonly mac?: string;
  /** As the hardware has it, where the link's was changed. */
  readonly permanentMac?: string;
  readonly pciAddress?: string;
  /** Of the PCI function. */
  readonly driver?: string;
  readonly rdmaDevice?: string;
  /** It is no hardware, not even an emulated one. */
  readonly isVirtual: boolean;
}

/** What a cloud's configuration needs to know of the host, looked up when it does. */
export interface HostLookup {
  /** The gateway of the device's IPv6 default route on the host. */
  readonly gateway6: () => Promise<string | undefined>;
  readonly signal: AbortSignal;
}

export interface Cloud {
  attributes(device: DeviceView): CloudAttributes;
  /** What the device needs in a pod too; `undefined`: nothing. */
  config?(device: DeviceView, host: HostLookup): Promise<NetworkConfig | undefined>;
  /** Of a device that it knows, where the cloud routes addresses to links that stand on it. */
  children?(device: DeviceView): ChildNetwork | undefined;
  /** Whether metadata that were read again could tell more of this device: it came after they were read. */
  lacks?(device: DeviceView): boolean;
}

export function viewOf({ name, identity, attributes }: Device, driver?: string): DeviceView {
  const { ifname, address, permanentAddress, pciAddress } = identity;
  const rdmaDevice = attributeOf(attributes, "rdmaDevice");
  return {
    name: ifname ?? name,
    isVirtual: attributeOf(attributes, "virtual") === true,
    ...(address === undefined ? {} : { mac: address }),
    ...(permanentAddress === undefined ? {} : { permanentMac: permanentAddress }),
    ...(pciAddress === undefined ? {} : { pciAddress }),
    ...(driver === undefined ? {} : { driver }),
    ...(typeof rdmaDevice === "string" ? { rdmaDevice } : {}),
  };
}

/** Whatever the driver's domain is. */
function attributeOf(attributes: Device["attributes"], id: string): unknown {
  const value = Object.entries(attributes).find(([name]) => name.endsWith(`/${id}`))?.[1];
  return value === undefined ? undefined : Object.values(value)[0];
}

/** Views with the drivers of their functions, which only a scan knows. */
export function viewsWith({ pci }: Pick<InventoryFacts, "pci">): (device: Device) => DeviceView {
  const drivers = new Map(pci.map(({ address, driver }) => [address, driver]));
  return (device) => viewOf(device, drivers.get(device.identity.pciAddress ?? ""));
}

/** Metadata services write hardware addresses in several ways: `0011AAFFBB22`, `00-11-AA-FF-BB-22`. */
export function sameMac(theirs: string, { mac, permanentMac }: DeviceView): boolean {
  const digits = (text: string | undefined) => text?.replace(/[:.-]/g, "").toLowerCase();
  const wanted = digits(theirs);
  return wanted !== "" && (wanted === digits(mac) || wanted === digits(permanentMac));
}
