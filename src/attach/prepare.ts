/** A claim's way into the store: everything that is slow or can be refused happens here, long before the hook. */

import { type ClaimDevice, keyText } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import { isSubInterface } from "../config/interface-rules.ts";
import { ClaimError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { type AllocatedClaim, type AllocatedDevice, type ConsumerPod, keyOf } from "./allocated.ts";
import type { Ferry } from "./ferry.ts";
import { checkFunctions } from "./function-sharing.ts";
import { checkNames, entersNamespace, hostNetworkSentence } from "./plan.ts";
import { type PlanParts, planDevice } from "./plan-device.ts";
import { checkNotAway, checkSharing } from "./sharing.ts";
import { checkVrfs } from "./vrf.ts";

export interface PrepareParts extends PlanParts {
  readonly ferry: Ferry;
  readonly store: ClaimStore;
}

/**
 * Plans every device of the claim and stores the plans, durably, in one commit. Idempotent: a device that is in the
 * pod already stays there. Rejects with a ClaimError, and then nothing has changed.
 */
export async function prepareClaim(
  parts: PrepareParts,
  claim: AllocatedClaim,
  pod: ConsumerPod,
  signal: AbortSignal,
): Promise<readonly ClaimDevice[]> {
  const named = `claim ${claim.namespace}/${claim.name}`;
  for (const allocated of claim.devices) {
    if (allocated.adminAccess === true)
      throw new ClaimError(
        `${named} asks for ${allocated.device} with adminAccess: a link is in one place only and cannot be watched from a second pod`,
      );
    await freeFromOthers(parts, claim, allocated);
    const wantsChild = isSubInterface(allocated.config.interface ?? {});
    checkNotAway(allocated.device, wantsChild, othersOf(parts.store, claim));
  }
  await leaveEarlier(parts, claim, pod);
  return parts.ferry.whilePodRests(pod.uid, async () => {
    const records: ClaimDevice[] = [];
    const others = parts.store.ofPod(pod.uid).filter((record) => record.claimUid !== claim.uid);
    try {
      for (const allocated of claim.devices)
        records.push(await planDevice(parts, claim, allocated, pod, [...others, ...records], signal));
      checkSharing(records, othersOf(parts.store, claim));
      checkFunctions(records, othersOf(parts.store, claim));
      checkNames([...others, ...records]);
      const entering = pod.hostNetwork ? records.find(({ plan }) => entersNamespace(plan)) : undefined;
      if (entering !== undefined) throw new ClaimError(hostNetworkSentence(entering));
      checkVrfs([...others, ...records]);
      checkStillHome(parts.store, records);
      parts.store.putDurably(records);
    } catch (error) {
      await parts.leases.release(records.filter((record) => parts.store.get(record)?.lease === undefined));
      throw error;
    }
    faultPoint("prepare.stored");
    return records;
  });
}

function othersOf(store: ClaimStore, claim: AllocatedClaim): readonly ClaimDevice[] {
  return store.records.filter((record) => record.claimUid !== claim.uid);
}

/** The end of a claim: its devices come home, and it leaves the store. Rejects when one could not be brought home now. */
export async function endClaim(
  { ferry, store, leases }: Pick<PrepareParts, "ferry" | "store" | "leases">,
  claimUid: string,
): Promise<void> {
  await ferry.endClaim(claimUid, async () => {
    await leases.release(store.ofClaim(claimUid));
    store.removeClaim(claimUid);
  });
}

/** Brings the device home from a claim that still holds it although the scheduler gave it to this one, or names the holder. */
async function freeFromOthers(
  parts: PrepareParts,
  claim: AllocatedClaim,
  { device, shareId }: AllocatedDevice,
): Promise<void> {
  const holder = parts.store.records.find(
    (record) => record.device === device && record.claimUid !== claim.uid && record.shareId === (shareId ?? ""),
  );
  if (holder === undefined) return;
  const holding = `device ${device} is still held by claim ${holder.claimNamespace}/${holder.claimName} of pod ${holder.podNamespace}/${holder.podName}`;
  if (holder.attachment !== undefined && holder.state === "attached")
    throw new ClaimError(`${holding}, which runs with it: delete that pod first`);
  try {
    await endClaim(parts, holder.claimUid);
  } catch (cause) {
    throw new ClaimError(`${holding} and could not be brought home`, { cause });
  }
}

/** The claim was another pod's before, or had other devices: what is not this pod's comes home, or is forgotten. */
async function leaveEarlier(
  { ferry, store, leases }: PrepareParts,
  claim: AllocatedClaim,
  pod: ConsumerPod,
): Promise<void> {
  const given = new Set(claim.devices.map((allocated) => keyText(keyOf(claim, allocated))));
  const known = store.ofClaim(claim.uid);
  const earlier = known.filter((record) => !given.has(keyText(record)));
  if (earlier.length > 0)
    await ferry.endClaim(claim.uid, async () => {
      await leases.release(earlier);
      store.removeDevices(earlier);
    });
  else if (known.some((record) => record.podUid !== pod.uid && record.attachment !== undefined))
    await ferry.detachClaim(claim.uid);
}

/** The pod that had the claim before may have taken a device meanwhile: its record is all that knows the way back. */
function checkStillHome(store: ClaimStore, records: readonly ClaimDevice[]): void {
  for (const record of records) {
    const now = store.get(record);
    if (record.attachment !== undefined || now?.attachment === undefined) continue;
    const { device, claimNamespace, claimName, podNamespace, podName } = now;
    throw new ClaimError(
      `device ${device} of claim ${claimNamespace}/${claimName} went into pod ${podNamespace}/${podName} while it was prepared for pod ${record.podNamespace}/${record.podName}: the kubelet tries again`,
    );
  }
}
