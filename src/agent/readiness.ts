/** Whether the agent can keep its promises now, and what is missing when it cannot: sentences for `/readyz`. */

import type { StorePlace } from "../claims/store-place.ts";
import type { Condition } from "../http/condition.ts";
import type { NriState } from "../nri/session.ts";

export interface ReadinessFacts {
  readonly nri: NriState;
  readonly nriSocket: string;
  /** With `--attach=oci`: why the runtime would not move links. */
  readonly runtimeMover?: { readonly problem: string | undefined };
  /** Why receipts cannot be written. */
  readonly cdiDirectory: string | undefined;
  readonly cdiDir: string;
  /** Why a receipt that was written is not heeded. */
  readonly cdiIgnored: string | undefined;
  readonly store: StorePlace;
  readonly lastScanMs: number | undefined;
  readonly maxScanAgeMs: number;
  readonly nowMs: number;
  /** What the mode adds: the kubelet's registration, the publication, the claim files. */
  readonly mode: readonly Condition[];
}

export function readiness(facts: ReadinessFacts): readonly Condition[] {
  return [
    runtimeCondition(facts),
    receiptsCondition(facts),
    storeCondition(facts),
    inventoryCondition(facts),
    ...(facts.runtimeMover === undefined ? [] : [attachCondition(facts.runtimeMover)]),
    ...facts.mode,
  ];
}

function attachCondition({ problem }: { readonly problem: string | undefined }): Condition {
  const message = problem ?? "the OCI runtime moves links, with a pod's first container";
  return { name: "attach", ready: problem === undefined, message };
}

function runtimeCondition({ nri, nriSocket }: ReadinessFacts): Condition {
  const runtime = nri.runtime === undefined ? "the runtime" : `${nri.runtime.name} ${nri.runtime.version}`;
  if (nri.synchronised) return { name: "runtime", ready: true, message: `registered with ${runtime} by NRI` };
  const remedy = nri.connected
    ? `connected to ${nriSocket}, not registered yet`
    : `no NRI connection at ${nriSocket}: is the runtime up, and NRI on in its configuration?`;
  return { name: "runtime", ready: false, message: remedy };
}

function receiptsCondition({ cdiDirectory, cdiDir, cdiIgnored }: ReadinessFacts): Condition {
  const problem = cdiDirectory ?? cdiIgnored;
  return { name: "receipts", ready: problem === undefined, message: problem ?? `receipts are written to ${cdiDir}` };
}

function storeCondition({ store: { path, problem } }: ReadinessFacts): Condition {
  const message = path === ":memory:" ? "what was prepared is kept in memory, by --db-path" : `the store is ${path}`;
  return { name: "store", ready: problem === undefined, message: problem ?? message };
}

function inventoryCondition({ lastScanMs, maxScanAgeMs, nowMs }: ReadinessFacts): Condition {
  if (lastScanMs === undefined) return { name: "inventory", ready: false, message: "the host was not scanned yet" };
  const ageMs = nowMs - lastScanMs;
  return ageMs <= maxScanAgeMs
    ? { name: "inventory", ready: true, message: `the host was scanned ${Math.round(ageMs / 1000)} s ago` }
    : {
        name: "inventory",
        ready: false,
        message: `the last scan of the host that succeeded is ${Math.round(ageMs / 1000)} s old: see the log for why`,
      };
}
