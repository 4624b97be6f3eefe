/** What RDMA the host has. A kernel without RDMA is a state, not an error. */

import { existsSync } from "node:fs";
import { carrierOf, isRepresentorPort } from "../sysfs/device-path.ts";
import { listNames, readLinkTarget, readText } from "../sysfs/read.ts";

export interface RdmaPort {
  readonly number: number;
  /** `Ethernet` (RoCE, iWARP), `InfiniBand`, `Unspecified` (EFA). */
  readonly linkLayer?: string;
  /** `ACTIVE`, `DOWN`, … */
  readonly state?: string;
  readonly rateMbps?: number;
  /** Its netdev, where that is visible in the same namespace. */
  readonly ifname?: string;
}

export interface RdmaDevice {
  /** `mlx5_0` */
  readonly name: string;
  /** `0c42:a103:0065:1a2e` */
  readonly nodeGuid?: string;
  /** Absent for a device without firmware. */
  readonly firmware?: string;
  /** By number. Absent when nobody looked. */
  readonly ports?: readonly RdmaPort[];
  /** Whether libibverbs lists the device, which it does for those that it has a provider of. Absent without the library. */
  readonly hasProvider?: boolean;
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
  /** In exclusive mode each device belongs to one namespace; absent where the kernel does not tell (before 5.2). */
  readonly netnsMode?: "exclusive" | "shared";
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
  const device = `${directory}/${name}`;
  const target = readLinkTarget(device);
  if (target === undefined) return undefined;
  const ports = listNames(`${device}/ports`).map((port) => readPort(`${device}/ports/${port}`, Number(port)));
  const nodeGuid = readText(`${device}/node_guid`);
  const firmware = readText(`${device}/fw_ver`);
  return {
    name,
    ...carrierOf(target),
    ...(nodeGuid === undefined ? {} : { nodeGuid }),
    ...(firmware === undefined || firmware === "" ? {} : { firmware }),
    overEthernet: ports.some(({ linkLayer }) => linkLayer === "Ethernet"),
    ports,
    ifnames: ifnamesOf(device, ports),
  };
}

function readPort(directory: string, number: number): RdmaPort {
  const linkLayer = readText(`${directory}/link_layer`);
  const state = /^\d+: (\w+)/.exec(readText(`${directory}/state`) ?? "")?.[1]; // `4: ACTIVE`
  const rate = /^([\d.]+) Gb\/sec/.exec(readText(`${directory}/rate`) ?? "")?.[1]; // `2.5 Gb/sec (1X SDR)`
  const ifname = readText(`${directory}/gid_attrs/ndevs/0`);
  return {
    number,
    ...(linkLayer === undefined ? {} : { linkLayer }),
    ...(state === undefined ? {} : { state }),
    ...(rate === undefined ? {} : { rateMbps: Math.round(Number(rate) * 1000) }),
    ...(ifname === undefined || ifname === "" ? {} : { ifname }),
  };
}

/**
 * The netdevs of the ports, which the GID tables name; where there are none, those of the same parent device (IPoIB, or
 * RoCE whose table is still empty), without the representors of other functions.
 */
function ifnamesOf(device: string, ports: readonly RdmaPort[]): readonly string[] {
  const named = ports.flatMap(({ ifname }) => ifname ?? []);
  if (named.length > 0) return [...new Set(named)].sort();
  const siblings = `${device}/device/net`;
  return listNames(siblings).filter((ifname) => !isRepresentorPort(readText(`${siblings}/${ifname}/phys_port_name`)));
}
