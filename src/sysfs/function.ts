/** One PCI function as who hands it over sees it: its driver, its IOMMU group, its part in SR-IOV. */

import { accessSync, constants } from "node:fs";
import { isPciAddress } from "./device-path.ts";
import { listNames, readLinkTarget, readNumber, readText } from "./read.ts";

export interface PciFunction {
  readonly address: string;
  readonly driver?: string;
  /** The only driver that may bind to it; absent for any. */
  readonly driverOverride?: string;
  /** Ways to reset it (`flr`, `pm`, `bus`, …), most preferred first; none where it cannot be reset. */
  readonly resetMethods: readonly string[];
  /** Absent where no IOMMU stands before it. */
  readonly iommuGroup?: IommuGroup;
  /** Absent on anything but a VF whose PF is on this machine. */
  readonly vf?: VirtualFunction;
  /** 0 on anything but a PF. */
  readonly totalVfs: number;
  readonly numVfs: number;
}

export interface IommuGroup {
  readonly id: number;
  /** All its functions, this one too. */
  readonly members: readonly GroupMember[];
}

export interface GroupMember {
  readonly address: string;
  readonly driver?: string;
  /** Six hex digits. */
  readonly classCode: string;
}

export interface VirtualFunction {
  /** Address of the PF. */
  readonly pf: string;
  readonly index: number;
  readonly pfDriver?: string;
}

/** `undefined` when there is no such function. */
export function readFunction(sysfsRoot: string, address: string): PciFunction | undefined {
  const directory = functionDirectory(sysfsRoot, address);
  const names = new Set(listNames(directory));
  if (names.size === 0) return undefined;
  const driver = driverOf(directory);
  const driverOverride = readText(`${directory}/driver_override`);
  const group = nameAt(`${directory}/iommu_group`);
  const vf = readVirtualFunction(sysfsRoot, address);
  return {
    address,
    ...(driver === undefined ? {} : { driver }),
    // What the kernel writes for none.
    ...(driverOverride === undefined || driverOverride === "" || driverOverride === "(null)" ? {} : { driverOverride }),
    resetMethods: readResetMethods(directory, names),
    ...(group === undefined ? {} : { iommuGroup: readGroup(sysfsRoot, group) }),
    ...(vf === undefined ? {} : { vf }),
    totalVfs: readNumber(`${directory}/sriov_totalvfs`) ?? 0,
    numVfs: readNumber(`${directory}/sriov_numvfs`) ?? 0,
  };
}

/** Whether the kernel has a PCI driver of this name. */
export function hasPciDriver(sysfsRoot: string, driver: string): boolean {
  return listNames(`${sysfsRoot}/bus/pci/drivers/${driver}`).length > 0;
}

/** Whether drivers can be bound and functions be reset by this mount of sysfs: containers often have it read-only. */
export function isWritable(sysfsRoot: string, address: string): boolean {
  try {
    accessSync(`${functionDirectory(sysfsRoot, address)}/driver_override`, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export function functionDirectory(sysfsRoot: string, address: string): string {
  return `${sysfsRoot}/bus/pci/devices/${address}`;
}

export function driverOf(directory: string): string | undefined {
  return nameAt(`${directory}/driver`);
}

function readVirtualFunction(sysfsRoot: string, address: string): VirtualFunction | undefined {
  const pf = nameAt(`${functionDirectory(sysfsRoot, address)}/physfn`);
  if (pf === undefined || !isPciAddress(pf)) return undefined;
  const pfDirectory = functionDirectory(sysfsRoot, pf);
  const link = listNames(pfDirectory).find(
    (name) => /^virtfn\d+$/.test(name) && nameAt(`${pfDirectory}/${name}`) === address,
  );
  if (link === undefined) return undefined;
  const pfDriver = driverOf(pfDirectory);
  return { pf, index: Number(link.slice("virtfn".length)), ...(pfDriver === undefined ? {} : { pfDriver }) };
}

/** `reset_method` came with Linux 5.15; before it `reset` alone says that there is one. */
function readResetMethods(directory: string, names: ReadonlySet<string>): readonly string[] {
  if (!names.has("reset")) return [];
  if (!names.has("reset_method")) return ["reset"];
  return (readText(`${directory}/reset_method`) ?? "").split(" ").filter((method) => method !== "");
}

function readGroup(sysfsRoot: string, id: string): IommuGroup {
  const members = listNames(`${sysfsRoot}/kernel/iommu_groups/${id}/devices`).map((address) => {
    const directory = functionDirectory(sysfsRoot, address);
    const driver = driverOf(directory);
    const classCode = (readText(`${directory}/class`) ?? "").replace(/^0x/, "");
    return { address, classCode, ...(driver === undefined ? {} : { driver }) };
  });
  return { id: Number(id), members };
}

function nameAt(path: string): string | undefined {
  const target = readLinkTarget(path);
  return target?.slice(target.lastIndexOf("/") + 1);
}
