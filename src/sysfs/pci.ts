/** PCI devices as `/sys/bus/pci/devices` shows them (Documentation/ABI/testing/sysfs-bus-pci). */

export interface PciDevice {
  /** `0000:3b:00.0` */
  readonly address: string;
  /** Six hex digits: `020000` Ethernet, `020700` InfiniBand. */
  readonly classCode: string;
  /** Four hex digits each. */
  readonly vendor: string;
  readonly device: string;
  readonly subsystemVendor?: string;
  readonly subsystemDevice?: string;
  readonly driver?: string;
  /** Absent when the firmware does not tell (-1). */
  readonly numaNode?: number;
  /** `pci0000:3a`, the first element of the device's path below `/sys/devices`. */
  readonly pcieRoot?: string;
  /** Netdevs and RDMA devices of this function in the namespace that mounted this sysfs. */
  readonly ifnames: readonly string[];
  readonly rdmaNames: readonly string[];
  /** On a VF: address of its PF. */
  readonly physfn?: string;
  /** On a PF: addresses of its VFs by index. */
  readonly virtfns: readonly string[];
  readonly sriovTotalVfs?: number;
  readonly sriovNumVfs?: number;
}
