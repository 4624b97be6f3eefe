/** What to do so that every device is where it should be: wanted state against store, as a decision without effect. */

import type { ClaimDevice } from "../claims/record.ts";
import type { SandboxRef } from "./parts.ts";

export interface ReconcileFacts {
  readonly records: readonly ClaimDevice[];
  /** The sandboxes that the runtime knows, by id; `undefined` while there is no synchronised session. */
  readonly sandboxes: ReadonlyMap<string, SandboxRef> | undefined;
  /** Whether a network namespace file is there. */
  readonly exists: (netnsPath: string) => boolean;
  /** UIDs of the claims that have a receipt. */
  readonly receipts: readonly string[];
}

export interface ReconcilePlan {
  /** Sandboxes whose devices are to come home: their namespace file or they themselves are gone. */
  readonly detach: readonly string[];
  /** Sandboxes that live, with devices whose way home was not finished: those alone go on. */
  readonly finish: readonly string[];
  /** Live sandboxes of pods with devices that are not, or not known to be, there. */
  readonly attach: readonly SandboxRef[];
  /** Receipts without an attached device behind them. */
  readonly removeReceipts: readonly string[];
  /** Claims whose devices are attached: their receipt is written again if someone removed it. */
  readonly writeReceipts: readonly string[];
}

export function reconcilePlan(facts: ReconcileFacts): ReconcilePlan {
  const { records, sandboxes, exists } = facts;
  const live = [...(sandboxes?.values() ?? [])].filter((s) => s.netnsPath === undefined || exists(s.netnsPath));
  const isGone = ({ attachment }: ClaimDevice) =>
    attachment !== undefined &&
    ((attachment.netnsPath !== undefined && !exists(attachment.netnsPath)) ||
      (sandboxes !== undefined && !live.some((s) => s.id === attachment.sandboxId)));
  const sandboxesOf = (some: readonly ClaimDevice[]) =>
    new Set(some.flatMap(({ attachment }) => attachment?.sandboxId ?? []));
  const detach = sandboxesOf(records.filter(isGone));
  const finish = sandboxesOf(records.filter((record) => record.state === "detaching" && !isGone(record)));
  const pods = new Set(records.filter((record) => record.state !== "detaching").map((record) => record.podUid));
  const isAttached = (record: ClaimDevice) => record.state === "attached" && !isGone(record);
  const attachedClaims = new Set(records.filter(isAttached).map((record) => record.claimUid));
  return {
    detach: [...detach],
    finish: [...finish],
    attach: [...pods].flatMap((podUid) => sandboxOf(podUid, records, live) ?? []),
    removeReceipts: facts.receipts.filter((claimUid) => !attachedClaims.has(claimUid)),
    writeReceipts: [...attachedClaims],
  };
}

/** One sandbox per pod: the one that has a device already, else the youngest (a replaced sandbox may linger). */
function sandboxOf(
  podUid: string,
  records: readonly ClaimDevice[],
  live: readonly SandboxRef[],
): SandboxRef | undefined {
  const ofPod = live.filter((sandbox) => sandbox.podUid === podUid);
  const holds = (sandbox: SandboxRef) =>
    records.some((r) => r.podUid === podUid && r.attachment?.sandboxId === sandbox.id);
  return ofPod.find(holds) ?? ofPod.at(-1);
}
