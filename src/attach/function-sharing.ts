/** PFs, VFs and IOMMU groups that several claims have a part in: what goes together. Pure. */

import type { ClaimDevice } from "../claims/record.ts";
import { ClaimError } from "../lib/errors.ts";
import { entersNamespace } from "./plan.ts";

type Holder = Pick<ClaimDevice, "device" | "claimNamespace" | "claimName" | "podNamespace" | "podName" | "plan"> & {
  readonly published: Pick<ClaimDevice["published"], "identity">;
};

/** Refuses records whose function stands in the way of another one's return, or is not the other's to be kept from. */
export function checkFunctions(records: readonly Holder[], others: readonly Holder[]): void {
  for (const [at, record] of records.entries()) {
    for (const other of [...others, ...records.slice(0, at)]) {
      const problem = problemBeside(record, other);
      if (problem !== undefined) throw new ClaimError(`device ${record.device} ${problem}`);
    }
  }
}

function problemBeside(record: Holder, other: Holder): string | undefined {
  const [mine, theirs] = [record.plan.pciFunction, other.plan.pciFunction];
  const holder = `claim ${other.claimNamespace}/${other.claimName} of pod ${other.podNamespace}/${other.podName}`;
  if (needsPf(record, other))
    return `cannot be given vf: its PF ${other.device} is claimed by ${holder}, and the PF sets it from the host's network namespace`;
  if (needsPf(other, record))
    return `is the PF of ${other.device}, whose vf settings for ${holder} have to be taken back by it: it cannot leave the host meanwhile`;
  if (mine?.driver !== undefined && theirs?.vf?.pf === mine.address)
    return `is the PF of ${other.device}, which ${holder} has and which would be gone with the PF's driver`;
  if (mine?.iommuGroup === undefined || mine.iommuGroup !== theirs?.iommuGroup) return undefined;
  return mine.address === theirs.address
    ? undefined
    : `shares IOMMU group ${mine.iommuGroup} with ${other.device} of ${holder}, and a group has one user`;
}

/** The PF leaves the host, by its link or without one, while the VF has settings that it must take back. */
function needsPf({ plan }: Holder, { plan: pfPlan, published }: Holder): boolean {
  const { vf, vfSettings } = plan.pciFunction ?? {};
  if (vfSettings === undefined || vf === undefined || vf.pf !== published.identity.pciAddress) return false;
  return (entersNamespace(pfPlan) && pfPlan.child === undefined) || pfPlan.pciFunction?.driver !== undefined;
}
