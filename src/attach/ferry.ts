import type { ClaimDevice } from "../claims/record.ts";
import { asError, ClaimError, describeError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { KeyedMutex } from "../lib/keyed-mutex.ts";
import { beginAttach, finishAttach, type Waiting } from "./attach.ts";
import { bringHome } from "./detach.ts";
import { type AttachParts, logFields, type SandboxRef } from "./parts.ts";
import { receiptOf } from "./receipt-of.ts";
import { awaitSlaac, SLAAC_READY_TIMEOUT_MS } from "./slaac.ts";
import { makeOwed } from "./software-rdma.ts";

export type AttachOutcome = { readonly attached: readonly ClaimDevice[]; readonly failed: readonly Error[] };

/** For work under way when the agent stops: a move takes tens of milliseconds, a slow driver seconds. */
const DRAIN_LIMIT_MS = 4_000;

/**
 * Carries the devices of a pod there and back. All that happens to one pod happens one after the other, whoever asks:
 * a hook, the kubelet or reconciliation. Disposing waits for the device that is under way.
 */
export class Ferry implements AsyncDisposable {
  readonly #parts: AttachParts;
  readonly #pods = new KeyedMutex();
  readonly #underway = new Map<string, Promise<AttachOutcome>>();
  #isStopping = false;

  constructor(parts: AttachParts) {
    this.#parts = parts;
  }

  /**
   * Attaches every device of the sandbox's pod and writes the receipts. Never rejects: the outcome lists the failures,
   * which are logged. Asked again while it is under way it answers the same outcome; asked later it does what is left.
   * `late`: the pod runs already.
   */
  attachSandbox(sandbox: SandboxRef, late: boolean): Promise<AttachOutcome> {
    const known = this.#underway.get(sandbox.id);
    if (known !== undefined) return known;
    const outcome = this.#pods
      .run(sandbox.podUid, () => this.#attachAll(sandbox, late))
      .finally(() => this.#underway.delete(sandbox.id));
    this.#underway.set(sandbox.id, outcome);
    return outcome;
  }

  /** Brings home all that is in the sandbox, or on its way there. Rejects when something could not be brought home now. */
  async detachSandbox(sandboxId: string): Promise<void> {
    await this.#underway.get(sandboxId); // an attach that a hook no longer waits for
    const records = this.#parts.store.ofSandbox(sandboxId);
    await this.#detachAll(records, (record) => record.attachment?.sandboxId === sandboxId);
  }

  /** Goes on with devices of the sandbox that are on their way home, and leaves those that are there to their pod. */
  async finishReturns(sandboxId: string): Promise<void> {
    const isReturning = ({ state, attachment }: ClaimDevice) =>
      state === "detaching" && attachment?.sandboxId === sandboxId;
    await this.#detachAll(this.#parts.store.ofSandbox(sandboxId), isReturning);
  }

  /** Brings home all devices of the claim. Rejects when one could not be brought home now. */
  async detachClaim(claimUid: string): Promise<void> {
    await this.#detachAll(this.#parts.store.ofClaim(claimUid), () => true);
  }

  /**
   * Brings home all devices of the claim and runs `forget`, which takes the claim out of the store, before anything else
   * can happen to its pods: nobody may carry a device into a pod that is forgotten next. Rejects as `detachClaim` does.
   */
  async endClaim(claimUid: string, forget: () => Promise<void>): Promise<void> {
    const { store } = this.#parts;
    const podUids = [...new Set(store.ofClaim(claimUid).map(({ podUid }) => podUid))].sort();
    const end = async () => {
      const failures = [];
      for (const record of store.ofClaim(claimUid)) failures.push(...(await this.#bringBack(record)));
      throwTogether(failures);
      await forget();
    };
    await podUids.reduceRight((task, podUid) => () => this.#pods.run(podUid, task), end)();
  }

  /** RDMA devices that could not be made when their link came home. Answers whether none is left that could be made. */
  makeOwedRdma(): Promise<boolean> {
    return makeOwed(this.#parts);
  }

  /** Runs `task` while nothing else happens to this pod. */
  whilePodRests<T>(podUid: string, task: () => Promise<T>): Promise<T> {
    return this.#pods.run(podUid, task);
  }

  /** The store must not close before what it has to record has happened. Work beyond the limit is the next agent's. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    const limit = new AbortController();
    const late = this.#parts.clock.sleep(DRAIN_LIMIT_MS, limit.signal).then(
      () => this.#parts.log.warn("a device is still under way at shutdown", { pods: this.#pods.busyKeys }),
      () => undefined, // all is done
    );
    await Promise.race([this.#pods.idle(), late]);
    limit.abort();
  }

  async #attachAll(sandbox: SandboxRef, late: boolean): Promise<AttachOutcome> {
    const attached: ClaimDevice[] = [];
    const failed: Error[] = [];
    const waiting: Waiting[] = [];
    const attempt = async (record: ClaimDevice, attach: () => Promise<ClaimDevice | Waiting>) => {
      try {
        const result = await attach();
        if ("stepsAfter" in result) waiting.push(result);
        else attached.push(this.#told(record, result, sandbox, late));
      } catch (error) {
        failed.push(asError(error));
        this.#parts.log.error("attach failed", { ...logFields(record), sandboxId: sandbox.id, error });
        if (!isThere(record, sandbox)) this.#parts.observer.attachFailed?.(record, asError(error));
      }
    };
    for (const record of this.#parts.store.ofPod(sandbox.podUid)) {
      if (this.#isStopping) break; // the next agent finds in the store what is left to do
      await attempt(record, () => beginAttach(this.#parts, record, sandbox, late));
    }
    for (const { link, slaac } of await this.#addressesOf(waiting))
      await attempt(link.record, () => finishAttach(this.#parts, link, slaac));
    for (const claimUid of new Set(attached.map((record) => record.claimUid))) {
      try {
        this.writeReceipt(claimUid);
      } catch (error) {
        failed.push(asError(error));
        this.#parts.log.error("receipt could not be written", { claimUid, sandboxId: sandbox.id, error });
        for (const record of attached.filter((other) => other.claimUid === claimUid))
          this.#parts.observer.receiptFailed?.(record, asError(error));
      }
    }
    faultPoint("attach.receipt");
    return { attached, failed };
  }

  /** All links of the pod are up by now: each has the whole time, and together they take no longer than one. */
  async #addressesOf(waiting: readonly Waiting[]) {
    const limitMs = this.#parts.slaacReadyTimeoutMs ?? SLAAC_READY_TIMEOUT_MS;
    const links = waiting.map((link) => {
      const { netns, record } = link;
      return { link, slaac: awaitSlaac(this.#parts, { netns: { fd: netns.fd }, ifindex: record.ifindex }, limitMs) };
    });
    await Promise.allSettled(links.map(({ slaac }) => slaac));
    return links;
  }

  #told(before: ClaimDevice, result: ClaimDevice, sandbox: SandboxRef, late: boolean): ClaimDevice {
    if (isThere(before, sandbox)) return result;
    const line = { ...logFields(result), sandboxId: sandbox.id, ifname: result.plan.ifname };
    if (late) this.#parts.log.warn("device attached late: its pod was running without it", line);
    else this.#parts.log.info("device attached", line);
    this.#parts.observer.attached?.(result);
    return result;
  }

  /** Only when every device of the claim is there: a receipt stands for the whole claim. */
  writeReceipt(claimUid: string): void {
    const receipt = receiptOf(this.#parts.driver, this.#parts.store.ofClaim(claimUid));
    if (receipt !== undefined) this.#parts.receipts.write(receipt);
  }

  async #detachAll(records: readonly ClaimDevice[], stillApplies: (record: ClaimDevice) => boolean): Promise<void> {
    const failures: Error[] = [];
    for (const known of records) {
      const failed = await this.#pods.run(known.podUid, async () => {
        const record = this.#parts.store.get(known);
        return record !== undefined && stillApplies(record) ? this.#bringBack(record) : [];
      });
      failures.push(...failed);
    }
    throwTogether(failures);
  }

  /** Why the device could not be brought home; empty when it is there. */
  async #bringBack(record: ClaimDevice): Promise<readonly Error[]> {
    const { attachment } = record;
    if (attachment === undefined) return [];
    if (this.#isStopping) return [new ClaimError("the agent is stopping; the next one brings the devices home")];
    try {
      await bringHome(this.#parts, record);
      this.#parts.log.info("device came home", { ...logFields(record), sandboxId: attachment.sandboxId });
      return [];
    } catch (error) {
      this.#parts.log.error("device could not be brought home", { ...logFields(record), error });
      this.#parts.observer.returnFailed?.(record, asError(error));
      return [asError(error)];
    }
  }
}

function isThere({ state, attachment }: ClaimDevice, sandbox: SandboxRef): boolean {
  return state === "attached" && attachment?.sandboxId === sandbox.id;
}

function throwTogether(failures: readonly Error[]): void {
  if (failures.length > 0) throw new ClaimError([...new Set(failures.map(describeError))].join("; "));
}
