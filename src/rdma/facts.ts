/** What RDMA the host has. A kernel without RDMA is a state, not an error. */

export interface RdmaDevice {
  /** `mlx5_0` */
  readonly name: string;
  readonly pciAddress?: string;
  /** Netdevs of its ports that are visible in the same namespace. */
  readonly ifnames: readonly string[];
}

export interface RdmaFacts {
  /** False when the kernel has neither the netlink family nor the sysfs class. */
  readonly supported: boolean;
  readonly devices: readonly RdmaDevice[];
}
