/** PCI devices as `/sys/bus/pci/devices` shows them (Documentation/ABI/testing/sysfs-bus-pci). */

import { carrierOf, isPciAddress, pcieRootOf } from "./device-path.ts";
import { listNames, readLinkTarget, readNumber, readText } from "./read.ts";

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

/** Base class 02: network controllers. */
const NETWORK_CLASS = "02";

/**
 * The network controllers (base class 02) of the host and what else carries an RDMA device (Alibaba's eRDMA has class
 * 00ff), sorted by address. A device that vanishes meanwhile is left out.
 */
export function readPciDevices(sysfsRoot: string): PciDevice[] {
  const bus = `${sysfsRoot}/bus/pci/devices`;
  const carriers = rdmaCarriers(`${sysfsRoot}/class/infiniband`);
  return listNames(bus).flatMap((address) => readDevice(bus, address, carriers) ?? []);
}

function rdmaCarriers(directory: string): ReadonlySet<string> {
  const paths = listNames(directory).flatMap((name) => readLinkTarget(`${directory}/${name}`) ?? []);
  return new Set(paths.flatMap((path) => carrierOf(path)?.pciAddress ?? []));
}

function readDevice(bus: string, address: string, carriers: ReadonlySet<string>): PciDevice | undefined {
  const directory = `${bus}/${address}`;
  const classCode = readHex(`${directory}/class`);
  if (classCode === undefined || !(classCode.startsWith(NETWORK_CLASS) || carriers.has(address))) return undefined;
  const path = readLinkTarget(directory);
  const vendor = readHex(`${directory}/vendor`);
  const device = readHex(`${directory}/device`);
  if (path === undefined || vendor === undefined || device === undefined) return undefined;
  const names = listNames(directory);
  const has = new Set(names);
  return {
    address,
    classCode,
    vendor,
    device,
    ...optional("subsystemVendor", readHex(`${directory}/subsystem_vendor`)),
    ...optional("subsystemDevice", readHex(`${directory}/subsystem_device`)),
    ...optional("driver", has.has("driver") ? lastPart(readLinkTarget(`${directory}/driver`)) : undefined),
    ...optional("numaNode", nonNegative(readNumber(`${directory}/numa_node`))),
    ...optional("pcieRoot", pcieRootOf(path)),
    ifnames: classNames(directory, names, "net"),
    rdmaNames: classNames(directory, names, "infiniband"),
    ...optional("physfn", has.has("physfn") ? pciName(readLinkTarget(`${directory}/physfn`)) : undefined),
    virtfns: readVirtualFunctions(directory, names),
    ...optional("sriovTotalVfs", has.has("sriov_totalvfs") ? readNumber(`${directory}/sriov_totalvfs`) : undefined),
    ...optional("sriovNumVfs", has.has("sriov_numvfs") ? readNumber(`${directory}/sriov_numvfs`) : undefined),
  };
}

/** Class devices of the function: below itself, or below its virtio device. */
function classNames(directory: string, names: readonly string[], className: "net" | "infiniband"): readonly string[] {
  if (names.includes(className)) return listNames(`${directory}/${className}`);
  return names
    .filter((name) => /^virtio\d+$/.test(name))
    .flatMap((name) => listNames(`${directory}/${name}/${className}`));
}

/** `virtfn0`, `virtfn1`, … in the order of their numbers. */
function readVirtualFunctions(directory: string, names: readonly string[]): readonly string[] {
  return names
    .flatMap((name) => /^virtfn(\d+)$/.exec(name)?.[1] ?? [])
    .sort((a, b) => Number(a) - Number(b))
    .flatMap((index) => pciName(readLinkTarget(`${directory}/virtfn${index}`)) ?? []);
}

/** `0x020000` → `020000`. */
function readHex(path: string): string | undefined {
  return /^0x([0-9a-f]+)$/i.exec(readText(path) ?? "")?.[1]?.toLowerCase();
}

function lastPart(path: string | undefined): string | undefined {
  return path?.slice(path.lastIndexOf("/") + 1);
}

function pciName(path: string | undefined): string | undefined {
  const name = lastPart(path);
  return name !== undefined && isPciAddress(name) ? name : undefined;
}

function nonNegative(value: number | undefined): number | undefined {
  return value !== undefined && value >= 0 ? value : undefined;
}

function optional<Key extends string, T>(key: Key, value: T | undefined): { readonly [K in Key]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]?: T });
}
