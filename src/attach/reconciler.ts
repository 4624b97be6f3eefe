import type { Receipts } from "../cdi/receipts.ts";
import type { ClaimStore } from "../claims/store.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { backoffDelayMs } from "../lib/retry.ts";
import type { Ferry } from "./ferry.ts";
import type { NetnsFiles } from "./netns-files.ts";
import { NetnsWatcher } from "./netns-watcher.ts";
import type { SandboxRef } from "./parts.ts";
import { reconcilePlan } from "./reconcile.ts";

const INTERVAL_MS = 60_000;
/** A dying namespace gives its hardware back within seconds: look again soon, then ever more rarely. */
const RETRY = { firstMs: 250, limitMs: 30_000, jitter: 0.2 };

export interface ReconcilerParts {
  readonly ferry: Ferry;
  readonly store: ClaimStore;
  readonly receipts: Receipts;
  readonly files: NetnsFiles;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onRun: (reason: string) => void;
}

/**
 * Compares and repairs at start, after each connect of the runtime, when a namespace file vanishes, when an RDMA device
 * is owed, and on a timer.
 */
export class Reconciler implements Disposable {
  readonly #parts: ReconcilerParts;
  readonly #watcher: NetnsWatcher;
  readonly #wake = { reasons: new Set<string>(), resolve: (): void => undefined };
  #sandboxes: Map<string, SandboxRef> | undefined;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#watcher = new NetnsWatcher((path) => {
      parts.log.info("network namespace file is gone", { netnsPath: path });
      this.request("netns-gone");
    });
    parts.store.owedRdma.onOwed = () => this.request("rdma-owed");
  }

  /** All sandboxes that the runtime knows; `undefined` when the session is lost. */
  setSandboxes(sandboxes: readonly SandboxRef[] | undefined): void {
    this.#sandboxes = sandboxes === undefined ? undefined : new Map(sandboxes.map((s) => [s.id, s]));
    if (sandboxes !== undefined) this.request("connected");
  }

  sandboxStarted(sandbox: SandboxRef): void {
    this.#sandboxes?.set(sandbox.id, sandbox);
  }

  sandboxGone(sandboxId: string): void {
    this.#sandboxes?.delete(sandboxId);
  }

  /** Has a run start soon; several requests before it are one run. */
  request(reason: string): void {
    this.#wake.reasons.add(reason);
    this.#wake.resolve();
  }

  /** The namespace files that hold our devices changed: watch those, and only those. */
  watchNamespaces(): void {
    const paths = this.#parts.store.records.flatMap((record) => record.attachment?.netnsPath ?? []);
    this.#watcher.setFiles(paths.map((path) => this.#parts.files.local(path)));
  }

  /** Runs until `signal` aborts. A device that is under way then is the ferry's to see through. */
  async run(signal: AbortSignal): Promise<void> {
    this.request("start");
    for (let failures = 0; !signal.aborted; ) {
      await this.#woken(failures === 0 ? INTERVAL_MS : backoffDelayMs(RETRY, failures - 1), signal);
      if (signal.aborted) return;
      const reasons = [...this.#wake.reasons];
      this.#wake.reasons.clear();
      const reason = reasons[0] ?? (failures > 0 ? "retry" : "timer");
      this.#parts.onRun(reason);
      failures = (await orAborted(this.#reconcile(reason, signal), signal)) ? 0 : failures + 1;
    }
  }

  /** Answers whether everything is where it should be. */
  async #reconcile(reason: string, signal: AbortSignal): Promise<boolean> {
    const { store, receipts, ferry, log } = this.#parts;
    const plan = reconcilePlan({
      records: store.records,
      sandboxes: this.#sandboxes,
      exists: (path) => this.#parts.files.exists(path),
      receipts: receipts.claims(),
    });
    let ok = true;
    const attempt = (what: string, claimUid: string, task: () => void) => {
      try {
        task();
      } catch (error) {
        ok = false;
        log.error(`reconciliation could not ${what}`, { reason, claimUid, error });
      }
    };
    // At once, while the plan is true: an attach that ends meanwhile writes its own receipt.
    for (const claimUid of plan.removeReceipts)
      attempt("remove a stale receipt", claimUid, () => receipts.remove(claimUid));
    for (const sandboxId of plan.detach) {
      ok = (await isDone(ferry.detachSandbox(sandboxId))) && ok;
      if (signal.aborted) return false;
    }
    for (const sandboxId of plan.finish) {
      ok = (await isDone(ferry.finishReturns(sandboxId))) && ok;
      if (signal.aborted) return false;
    }
    for (const sandbox of plan.attach) {
      // It may be gone by now, and its pod's device be in the one that took its place.
      if (this.#sandboxes?.has(sandbox.id) !== true) continue;
      ok = (await ferry.attachSandbox(sandbox, true)).failed.length === 0 && ok;
      if (signal.aborted) return false;
    }
    ok = (await ferry.makeOwedRdma()) && ok;
    if (signal.aborted) return false;
    for (const claimUid of plan.writeReceipts) attempt("write a receipt", claimUid, () => ferry.writeReceipt(claimUid));
    this.watchNamespaces();
    return ok;
  }

  async #woken(delayMs: number, signal: AbortSignal): Promise<void> {
    if (this.#wake.reasons.size > 0) return;
    const woken = Promise.withResolvers<void>();
    this.#wake.resolve = woken.resolve;
    const stop = new AbortController();
    const timer = this.#parts.clock.sleep(delayMs, AbortSignal.any([signal, stop.signal])).catch(() => undefined);
    await Promise.race([woken.promise, timer]);
    stop.abort();
  }

  [Symbol.dispose](): void {
    this.#watcher[Symbol.dispose]();
  }
}

/** The ferry logs each device that stays away: here only the retry matters. */
function isDone(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

/** What `work` answers, or `undefined` as soon as `signal` aborts. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const onAbort = () => resolve(undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
