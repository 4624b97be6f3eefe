/** Whether a PF may be given another number of VFs now. Pure. */

import type { ClaimDevice } from "../claims/record.ts";
import type { SriovConfig } from "../config/node-config.ts";
import type { PciFunction } from "../sysfs/function.ts";

export type VfCountDecision =
  | { readonly kind: "asWanted" }
  | { readonly kind: "change"; readonly from: number; readonly to: number }
  | { readonly kind: "refused"; readonly sentence: string };

type Holder = Pick<ClaimDevice, "claimNamespace" | "claimName" | "device" | "published">;

/** The kernel knows no way from one number to another but by none, so all VFs of the PF go. */
export function decideVfCount(
  { pf: name, numVFs }: SriovConfig,
  pf: PciFunction | undefined,
  records: readonly Holder[],
): VfCountDecision {
  const refused = (sentence: string) => ({ kind: "refused", sentence }) as const;
  if (pf === undefined) return refused(`the PF ${name} is not on this node`);
  if (pf.numVfs === numVFs) return { kind: "asWanted" };
  const wanted = `the PF ${name} has ${pf.numVfs} VFs and is to have ${numVFs}`;
  if (numVFs > pf.totalVfs)
    return refused(
      pf.totalVfs === 0
        ? `${wanted}, but knows no SR-IOV: is it on in the firmware, and is ${name} a PF?`
        : `${wanted}, but it can have ${pf.totalVfs} at most`,
    );
  const holder = records.find(
    ({ published: { identity } }) => identity.pfAddress === pf.address || identity.pciAddress === pf.address,
  );
  if (holder !== undefined)
    return refused(
      `${wanted}, which has to wait: claim ${holder.claimNamespace}/${holder.claimName} has ${holder.device}, and a change of the number takes all VFs away first`,
    );
  return { kind: "change", from: pf.numVfs, to: numVFs };
}
