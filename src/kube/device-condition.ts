/** Conditions in `status.devices[]` of a ResourceClaim. */

/** In the order in which they are shown. */
export const CONDITION_TYPES = [
  "Ready",
  "NetworkReady",
  "RDMALinkReady",
  "SLAACReady",
  "DHCPReady",
  "AttachedLate",
  "CPUAligned",
] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

export interface DeviceCondition {
  readonly type: ConditionType;
  readonly status: "True" | "False";
  /** CamelCase; the API server refuses an empty one. */
  readonly reason: string;
  readonly message: string;
}

/** With the time at which `status` last changed: RFC 3339 in whole seconds, as the API server keeps it. */
export interface DatedCondition extends DeviceCondition {
  readonly lastTransitionTime: string;
}
