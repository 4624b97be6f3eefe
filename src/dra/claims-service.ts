/** What the DRA services need from the rest of netferry. */

export interface ClaimRef {
  readonly namespace: string;
  readonly uid: string;
  readonly name: string;
}

export interface PreparedDevice {
  /** Base request names (`main` of `main/sub`). */
  readonly requests: readonly string[];
  readonly pool: string;
  readonly device: string;
  readonly cdiDeviceIds: readonly string[];
  readonly shareId?: string;
}

export interface ClaimsService {
  /** Idempotent. Rejects with a ClaimError whose message the kubelet shows. */
  prepare(claim: ClaimRef, signal: AbortSignal): Promise<readonly PreparedDevice[]>;
  /** Idempotent, works from the store alone; an unknown UID is a success. */
  unprepare(claim: ClaimRef, signal: AbortSignal): Promise<void>;
}
