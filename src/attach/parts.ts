import type { Receipts } from "../cdi/receipts.ts";
import type { ClaimDevice } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import type { Kernel } from "../kernel/calls.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { HeldNamespaces } from "./held-namespaces.ts";

/** What attach and detach work with. */
export interface AttachParts {
  /** The Worker that does nothing else, so that no scan stands before a hook. */
  readonly kernel: Kernel;
  /** The other Worker, for what a driver may take seconds for. */
  readonly slowKernel: Kernel;
  readonly sysfsRoot: string;
  readonly store: ClaimStore;
  readonly held: HeldNamespaces;
  readonly receipts: Receipts;
  readonly driver: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly observer: AttachObserver;
  /** Absent: the flag's default. */
  readonly slaacReadyTimeoutMs?: number;
}

/**
 * Who hears what happened: metrics, conditions and events. A call returns at once and does not throw: hooks stand behind
 * it. An observer leaves out what it does not care for.
 */
export interface AttachObserver {
  attached?(record: ClaimDevice): void;
  /** The device is at home again, or on its way there: a later attempt may succeed. */
  attachFailed?(record: ClaimDevice, error: Error): void;
  /** The device is in the pod, but a container that names the claim cannot start. */
  receiptFailed?(record: ClaimDevice, error: Error): void;
  /** In the pod, without a move: a lease changed hands, an address came. */
  addressesChanged?(record: ClaimDevice): void;
  /** A container's CPUs were, or could not be, bound to the device's NUMA node. */
  cpusDecided?(record: ClaimDevice): void;
  cameHome?(record: ClaimDevice, problems: readonly string[]): void;
  /** The device stays away for now; it is tried again. */
  returnFailed?(record: ClaimDevice, error: Error): void;
  /** The kernel destroyed the link and it could not be made anew. */
  lost?(record: ClaimDevice, reason: string): void;
}

/** A pod's sandbox, as the runtime tells of it. */
export interface SandboxRef {
  readonly id: string;
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  /** Absent for a host-network pod. */
  readonly netnsPath?: string;
}

/** The names that follow a device through the log. */
export function logFields(record: ClaimDevice): Readonly<Record<string, unknown>> {
  return {
    claimUid: record.claimUid,
    claim: `${record.claimNamespace}/${record.claimName}`,
    request: record.request,
    device: record.device,
    pod: `${record.podNamespace}/${record.podName}`,
    podUid: record.podUid,
  };
}
