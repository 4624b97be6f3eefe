/** What a configuration asks of a PCI function, and whether the function can do it here. Pure. */

import type { FunctionPlan } from "../claims/record.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { VfConfig } from "../config/vf.ts";
import type { VfView } from "../kernel/calls.ts";
import { ClaimError } from "../lib/errors.ts";
import type { VfSettings } from "../netlink/vf.ts";
import type { IommuGroup, PciFunction } from "../sysfs/function.ts";

export interface FunctionFacts {
  /** As the pool knows it. */
  readonly device: string;
  readonly function: PciFunction;
  /** Absent for all but VFs whose PF has its link in the host's namespace. */
  readonly vf?: VfView;
  /** The kernel has the driver vfio-pci. */
  readonly hasVfioPci: boolean;
  /** Sysfs is not mounted read-only. */
  readonly writable: boolean;
  /** It carries an RDMA device, which dies with its driver and comes back under whatever name. */
  readonly carriesRdma: boolean;
}

export interface FunctionDecision {
  readonly plan?: FunctionPlan;
  /** One sentence for each part of the promise that cannot be kept here. */
  readonly leftOut: readonly string[];
}

/** PCI-to-PCI bridges, which stand in the group of what is behind them and are nobody's. */
const BRIDGE_CLASS = "0604";

/** `undefined` plan: nothing is to be done to the function. Throws a ClaimError for what it cannot be given. */
export function decideFunction(config: NetworkConfig, facts: FunctionFacts): FunctionDecision {
  const { function: pci, vf, device } = facts;
  const isGivenAway = pci.driver === "vfio-pci";
  const wantsVfio = config.driver === "vfio-pci" || isGivenAway;
  if (config.vf !== undefined) checkVfConfig(config.vf, facts);
  if (wantsVfio) checkVfio(facts);
  if (wantsVfio && !isGivenAway && !facts.writable)
    throw new ClaimError(`${device} cannot be bound to vfio-pci: ${READ_ONLY}`);
  const changesDriver = wantsVfio && !isGivenAway;
  const isVf = pci.vf !== undefined;
  if (!isVf && !wantsVfio) return { leftOut: [] };
  // VFIO resets what it is given each time that somebody opens it.
  const unable = isVf && !isGivenAway ? whyNoReset(facts) : undefined;
  const group = pci.iommuGroup;
  return {
    plan: {
      address: pci.address,
      ...(pci.vf === undefined ? {} : { vf: { pf: pci.vf.pf, index: pci.vf.index } }),
      ...(config.vf === undefined || vf === undefined ? {} : { vfSettings: settingsOf(config.vf) }),
      ...(changesDriver ? { driver: "vfio-pci" } : {}),
      ...(wantsVfio && group !== undefined ? { iommuGroup: group.id } : {}),
      resets: isVf && !isGivenAway && unable === undefined,
    },
    leftOut: unable === undefined ? [] : [`VF ${device} is not reset between pods: ${unable}`],
  };
}

const READ_ONLY = "sysfs is mounted read-only where netferry runs: mount it writable at --sysfs-root";

function whyNoReset({ function: pci, carriesRdma, writable }: FunctionFacts): string | undefined {
  if (!writable) return READ_ONLY;
  if (carriesRdma) return "that would take its RDMA device away";
  return pci.resetMethods.length === 0 ? "its function has no way to be reset" : undefined;
}

function checkVfConfig(config: VfConfig, { device, function: { vf: place }, vf }: FunctionFacts): void {
  if (place === undefined)
    throw new ClaimError(
      `vf is for VFs, and ${device} is none whose PF is on this machine: select by the attribute isSriovVf, and configure a VF that was passed through to this machine where its PF is`,
    );
  if (vf === undefined)
    throw new ClaimError(
      place.pfDriver === "vfio-pci"
        ? `vf is set by the PF of ${device}, ${place.pf}, which is bound to vfio-pci: it has no link to set it by`
        : `vf is set by the PF of ${device}, ${place.pf}, whose link is not in the host's network namespace: it has to stay there while its VFs are configured`,
    );
  for (const field of ["trust", "spoofCheck"] as const) {
    if (config[field] !== undefined && vf.state[field] === undefined)
      throw new ClaimError(`the driver of ${vf.pfIfname}, the PF of ${device}, does not support vf.${field}`);
  }
}

function checkVfio({ device, function: pci, hasVfioPci }: FunctionFacts): void {
  if (!hasVfioPci)
    throw new ClaimError(`driver vfio-pci is not loaded on this node: load it with \`modprobe vfio-pci\``);
  if (pci.iommuGroup === undefined)
    throw new ClaimError(
      `${device} has no IOMMU group, without which vfio-pci cannot keep it to its own memory: turn the IOMMU on in the firmware and by intel_iommu=on or amd_iommu=on in the kernel's command line`,
    );
  if (pci.numVfs > 0)
    throw new ClaimError(
      `${device} is a PF with ${pci.numVfs} VFs, which would be gone with its driver: claim the VFs, or set sriov_numvfs of ${pci.address} to 0`,
    );
  checkGroup(device, pci.address, pci.iommuGroup);
}

function checkGroup(device: string, address: string, { id, members }: IommuGroup): void {
  const other = members.find(
    (member) =>
      member.address !== address &&
      member.driver !== undefined &&
      member.driver !== "vfio-pci" &&
      !member.classCode.startsWith(BRIDGE_CLASS),
  );
  if (other !== undefined)
    throw new ClaimError(
      `${device} shares IOMMU group ${id} with ${other.address}, which ${other.driver} uses: the group goes to one user as a whole, so unbind ${other.address} first or select another device`,
    );
}

function settingsOf({ vlan, ...rest }: VfConfig): VfSettings {
  return {
    ...rest,
    ...(vlan === undefined ? {} : { vlan: { id: vlan.id, qos: vlan.qos ?? 0, protocol: vlan.protocol ?? "802.1Q" } }),
  };
}
