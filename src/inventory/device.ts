/** A device as it is offered to the scheduler: its name in the pool, its attributes, and how to find it in the kernel. */

export type AttributeValue =
  | { readonly string: string }
  | { readonly int: number }
  | { readonly bool: boolean }
  | { readonly version: string }
  /** Needs the API server's gate DRAListTypeAttributes. */
  | { readonly ints: readonly number[] };

/** How the device is recognised in the kernel, in whichever namespace, under whichever name. */
export interface DeviceIdentity {
  /** Name in the host's namespace; absent for a device without a netdev. */
  readonly ifname?: string;
  readonly ifindex?: number;
  readonly kind?: string;
  readonly pciAddress?: string;
  readonly permanentAddress?: string;
  readonly address?: string;
  readonly rdmaName?: string;
  /** PCI address of the PF, on a VF: its permanent MAC address may be another one after each reset. */
  readonly pfAddress?: string;
  /** The administrator bound the function to vfio-pci. */
  readonly vfio?: true;
}

/** The NUMA node that a device is at. */
export interface NumaPlace {
  readonly node: number;
  /** As the kernel lists them: `0-3,8`. Empty for a node of memory alone. */
  readonly cpus: string;
  readonly hasMemory: boolean;
}

export interface Device {
  /** DNS label, unique in the pool: `pci-0000-8a-00-0`, `eth1`, `net-…`. */
  readonly name: string;
  readonly identity: DeviceIdentity;
  /** The main link of a VF's PF, by name. */
  readonly pf?: string;
  /** Absent where nobody knows. */
  readonly place?: NumaPlace;
  /** By full attribute name, `dra.net/ifName`. Sorted by name. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** How many claims may have it at once, each a link that stands on it; absent: one, which has it whole. */
  readonly shares?: number;
}
