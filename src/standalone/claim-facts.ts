/** A claim as the rest of netferry sees it, whether an API server or a local file made it. */

import type { ConfigEntry } from "../config/merge.ts";
import type { AllocationResult, Binding } from "./binding.ts";

export interface ClaimConsumer {
  readonly apiGroup: "";
  readonly resource: "pods";
  readonly name: string;
  readonly uid: string;
}

export interface ClaimFacts {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly allocated: true;
  readonly reservedFor: readonly ClaimConsumer[];
  readonly results: readonly (AllocationResult & { readonly adminAccess: false })[];
  readonly configs: readonly ConfigEntry[];
}

/** The binding as the claim of one pod. */
export function claimFacts(binding: Binding, pod: { readonly name: string; readonly uid: string }): ClaimFacts {
  const { claimUid, namespace, name, results, configs } = binding;
  return {
    uid: claimUid,
    namespace,
    name,
    allocated: true,
    reservedFor: [{ apiGroup: "", resource: "pods", name: pod.name, uid: pod.uid }],
    results: results.map((result) => ({ ...result, adminAccess: false })),
    configs,
  };
}
