/** What RDMA the host has. A kernel without RDMA is a state, not an error. */

import { existsSync } from "node:fs";
import { carrierOf, isRepresentorPort } from "../sysfs/device-path.ts";
import { listNames, readLinkTarget, readText } from "../sysfs/read.ts";

export interface RdmaDevice {
  /** `mlx5_0` */
  readonly name: string;
  readonly pciAddress?: string;
  /** `mlx5_core.sf.4`: the device of a subfunction. */
  readonly subfunction?: string;
  /** A port of it speaks Ethernet (RoCE, iWARP): it belongs to a netdev, if only to one in another namespace. */
  readonly overEthernet?: boolean;
  /** Netdevs of its ports that are visible in the same namespace. */
  readonly ifnames: readonly string[];
}

export interface RdmaFacts {
  /** False when the kernel has neither the netlink family nor the sysfs class. */
  readonly supported: boolean;
  readonly devices: readonly RdmaDevice[];
}

/**
 * RDMA devices by `/sys/class/infiniband` (Documentation/ABI/stable/sysfs-class-infiniband), sorted by name. The class
 * is netns-tagged: in exclusive mode a device that is in a pod is not among them.
 */
export function readRdma(sysfsRoot: string): RdmaFacts {
  const directory = `${sysfsRoot}/class/infiniband`;
  if (!existsSync(directory)) return { supported: false, devices: [] };
  return { supported: true, devices: listNames(directory).flatMap((name) => readDevice(directory, name) ?? []) };
}

function readDevice(directory: string, name: string): RdmaDevice | undefined {
  const target = readLinkTarget(`${directory}/${name}`);
  if (target === undefined) return undefined;
  const device = `${directory}/${name}`;
  const ports = listNames(`${device}/ports`).map((port) => `${device}/ports/${port}`);
  const overEthernet = ports.some((port) => readText(`${port}/link_layer`) === "Ethernet");
  return { name, ...carrierOf(target), overEthernet, ifnames: readIfnames(device, ports) };
}

/**
 * The netdevs that the GID tables name (RoCE); where there are none, those of the same parent device (IPoIB, or RoCE
 * whose table is still empty), without the representors of other functions.
 */
function readIfnames(device: string, ports: readonly string[]): readonly string[] {
  const ofPorts = ports.flatMap((port) => readText(`${port}/gid_attrs/ndevs/0`) ?? []);
  const named = ofPorts.filter((ifname) => ifname !== "");
  if (named.length > 0) return [...new Set(named)].sort();
  const siblings = `${device}/device/net`;
  return listNames(siblings).filter((ifname) => !isRepresentorPort(readText(`${siblings}/${ifname}/phys_port_name`)));
}
