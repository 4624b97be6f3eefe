/** What RDMA the host has. A kernel without RDMA is a state, not an error. */

import { existsSync } from "node:fs";
import { carrierOf, isRepresentorPort } from "../sysfs/device-path.ts";
import { listNames, readLinkTarget, readText } from "../sysfs/read.ts";

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
  const pciAddress = carrierOf(target)?.pciAddress;
  const ifnames = readIfnames(`${directory}/${name}`);
  return { name, ...(pciAddress === undefined ? {} : { pciAddress }), ifnames };
}

/**
 * The netdevs that the GID tables name (RoCE); where there are none, those of the same parent device (IPoIB, or RoCE
 * whose table is still empty), without the representors of other functions.
 */
function readIfnames(device: string): readonly string[] {
  const ofPorts = listNames(`${device}/ports`).flatMap(
    (port) => readText(`${device}/ports/${port}/gid_attrs/ndevs/0`) ?? [],
  );
  const named = ofPorts.filter((ifname) => ifname !== "");
  if (named.length > 0) return [...new Set(named)].sort();
  const siblings = `${device}/device/net`;
  return listNames(siblings).filter((ifname) => !isRepresentorPort(readText(`${siblings}/${ifname}/phys_port_name`)));
}
