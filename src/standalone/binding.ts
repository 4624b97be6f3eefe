/** A claim's allocation in standalone mode, shaped like `status.allocation.devices` of resource.k8s.io/v1. */

import type { ConfigEntry } from "../config/merge.ts";

export interface AllocationResult {
  /** `main`, or `main/sub`. */
  readonly request: string;
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
  /** Of a device that several claims have. */
  readonly shareId?: string;
}

export interface Binding {
  readonly claimUid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the spec for which it was made. */
  readonly digest: string;
  readonly results: readonly AllocationResult[];
  /** This driver's, as they were then: classes first. */
  readonly configs: readonly ConfigEntry[];
}

/** Where bindings outlive the agent. `save` returns when the binding is durable. */
export interface BindingStore {
  load(): Binding[];
  save(binding: Binding): void;
  remove(claimUid: string): void;
}
