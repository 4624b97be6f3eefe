/** What a claim was given, and the pod that it is for: in the cluster by the scheduler, standalone by the local allocator. */

import type { DeviceKey } from "../claims/record.ts";
import type { NetworkConfig } from "../config/network-config.ts";

/** One device of an allocation, as `status.allocation.devices.results[]` has it. */
export interface AllocatedDevice {
  readonly request: string;
  readonly pool: string;
  readonly device: string;
  readonly adminAccess?: boolean | undefined;
  readonly shareId?: string | undefined;
  /** Class and claim configuration that applies to this request, merged and validated. */
  readonly config: NetworkConfig;
}

export interface AllocatedClaim {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly alias?: string;
  readonly podClaimName?: string | undefined;
  /** Only those of this driver. */
  readonly devices: readonly AllocatedDevice[];
}

export interface ConsumerPod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly hostNetwork: boolean;
  /** Containers that list the claim; `undefined` when the pod could not be read. */
  readonly namedBy?: readonly string[] | undefined;
}

/** Under which the store has the device. */
export function keyOf(claim: AllocatedClaim, { request, device, shareId = "" }: AllocatedDevice): DeviceKey {
  return { claimUid: claim.uid, request, device, shareId };
}
