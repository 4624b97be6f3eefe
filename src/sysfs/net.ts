/** Where a link stands in the device tree (`/sys/class/net/<ifname>`). */

export interface LinkLocation {
  /** Below `/sys/devices/virtual/net`. */
  readonly isVirtual: boolean;
  /** PCI address of the device that carries the link, also through a virtio or auxiliary bus. */
  readonly pciAddress?: string;
  readonly physPortName?: string;
  readonly physSwitchId?: string;
}
