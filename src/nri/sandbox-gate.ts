import { alignContainer } from "../attach/align-container.ts";
import type { Ferry } from "../attach/ferry.ts";
import type { AttachObserver } from "../attach/parts.ts";
import type { Reconciler } from "../attach/reconciler.ts";
import { runtimeMoves } from "../attach/runtime-moves.ts";
import { cdiAliasId, cdiDeviceId, markerIn } from "../cdi/receipt.ts";
import { baseRequest, type ClaimDevice } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import type { Kernel } from "../kernel/calls.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { addedNodes } from "./added-nodes.ts";
import type { ContainerChange, RuntimeInfo, Sandbox, SandboxContainer, SandboxHandlers } from "./handlers.ts";

export interface GateParts {
  readonly ferry: Ferry;
  readonly reconciler: Reconciler;
  readonly store: ClaimStore;
  readonly driver: string;
  /** The runtime does not see our CDI directory: no container is asked for a receipt. */
  readonly receiptsUnseen?: boolean;
  readonly observer: AttachObserver;
  /** The Worker of the hooks. */
  readonly kernel: Pick<Kernel, "listLinks">;
  readonly log: Logger;
  /** After each connect: all sandboxes that there are. */
  readonly sandboxesKnown?: (sandboxes: readonly Sandbox[]) => void;
  /**
   * Makes sure that the store has what this pod claims, where no kubelet calls Prepare (standalone). Idempotent.
   * Rejects with a ClaimError when a claim cannot be met.
   */
  readonly prepareSandbox?: (sandbox: Sandbox) => Promise<void>;
  /** The sandbox is gone: release what `prepareSandbox` bound, as far as it is at home. */
  readonly sandboxGone?: (sandbox: Sandbox) => Promise<void>;
  readonly onRefusal: (reason: Refusal) => void;
}

export type Refusal = "unprepared" | "unfinished" | "no-receipt" | "other-sandbox";

/**
 * Lets no container of a pod start before the pod's devices are there, and none with another sandbox's receipt. What
 * it learns of sandboxes goes to the reconciler.
 */
export class SandboxGate implements SandboxHandlers {
  readonly #parts: GateParts;
  readonly #unprepared = new Map<string, Error>();
  /** Sandboxes whose start this process heard of: a device that comes to any other comes late. */
  readonly #attended = new Set<string>();
  #cdiProblem: string | undefined;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** Set once a container that names a claim came without its receipt; unset by one that has it. */
  get cdiProblem(): string | undefined {
    return this.#cdiProblem;
  }

  concerns({ id, podUid }: Sandbox): boolean {
    return this.#parts.store.ofPod(podUid).length > 0 || this.#unprepared.has(id);
  }

  async synchronize(
    sandboxes: readonly Sandbox[],
    _containers: readonly SandboxContainer[],
    _runtime: RuntimeInfo,
  ): Promise<void> {
    this.#unprepared.clear();
    // Those that ended while nobody listened do not come again.
    const ids = new Set(sandboxes.map(({ id }) => id));
    for (const id of this.#attended) if (!ids.has(id)) this.#attended.delete(id);
    this.#parts.sandboxesKnown?.(sandboxes);
    for (const sandbox of sandboxes) await this.#prepare(sandbox);
    this.#parts.reconciler.setSandboxes(sandboxes);
  }

  async sandboxStarted(sandbox: Sandbox, _budget: AbortSignal): Promise<void> {
    this.#attended.add(sandbox.id);
    this.#parts.reconciler.sandboxStarted(sandbox);
    await this.#prepare(sandbox);
    if (this.#parts.store.ofPod(sandbox.podUid).length === 0) return;
    await this.#parts.ferry.attachSandbox(sandbox, false);
    this.#parts.reconciler.watchNamespaces();
  }

  async sandboxStopped(sandbox: Sandbox, _budget: AbortSignal): Promise<void> {
    this.#attended.delete(sandbox.id);
    this.#parts.reconciler.sandboxGone(sandbox.id);
    this.#unprepared.delete(sandbox.id);
    try {
      await this.#parts.ferry.detachSandbox(sandbox.id);
    } catch {
      // Logged device by device where it failed; the reconciler tries until it holds.
      this.#parts.reconciler.request("detach-failed");
    }
    await this.#parts.sandboxGone?.(sandbox);
    this.#parts.reconciler.watchNamespaces();
  }

  async sandboxRemoved(sandbox: Sandbox): Promise<void> {
    await this.sandboxStopped(sandbox, AbortSignal.abort());
  }

  async containerCreating(
    sandbox: Sandbox,
    container: SandboxContainer,
    budget: AbortSignal,
  ): Promise<ContainerChange> {
    // Again, since the sandbox's hook may have been answered before this was done, or could be.
    await this.#prepare(sandbox);
    const unprepared = this.#unprepared.get(sandbox.id);
    if (unprepared !== undefined) this.#refuse("unprepared", describeError(unprepared));
    await this.#attached(sandbox, budget);
    for (const record of this.#parts.store.ofPod(sandbox.podUid)) this.#checkReceipt(record, sandbox, container);
    this.#checkStrangers(sandbox, container);
    const { store, observer, log } = this.#parts;
    const netDevices = await runtimeMoves(this.#parts.kernel, store.ofPod(sandbox.podUid));
    // As they are after the wait: what is noted in them must not undo what happened meanwhile.
    const ofPod = store.ofPod(sandbox.podUid);
    const used = ofPod.filter((record) => this.#uses(record, container));
    const deviceNodes = addedNodes(ofPod, container);
    return { ...alignContainer({ store, observer, log }, used, container), netDevices, deviceNodes };
  }

  disconnected(): void {
    this.#parts.reconciler.setSandboxes(undefined);
  }

  async #prepare(sandbox: Sandbox): Promise<void> {
    if (this.#parts.prepareSandbox === undefined) return;
    try {
      await this.#parts.prepareSandbox(sandbox);
      this.#unprepared.delete(sandbox.id);
    } catch (error) {
      const reason = error instanceof Error ? error : new ClaimError(String(error));
      this.#unprepared.set(sandbox.id, reason);
      this.#parts.log.error("pod's claims cannot be met", {
        pod: `${sandbox.podNamespace}/${sandbox.podName}`,
        sandboxId: sandbox.id,
        error: reason,
      });
    }
  }

  /** Waits for an attach that is under way, or tries again one that failed. Refuses when the devices are not there. */
  async #attached(sandbox: Sandbox, budget: AbortSignal): Promise<void> {
    const missing = () =>
      this.#parts.store
        .ofPod(sandbox.podUid)
        .filter((record) => record.state !== "attached" || record.attachment?.sandboxId !== sandbox.id);
    if (missing().length === 0) return;
    const attach = this.#parts.ferry.attachSandbox(sandbox, !this.#attended.has(sandbox.id));
    const outcome = await Promise.race([attach, aborted(budget)]);
    this.#parts.reconciler.watchNamespaces();
    const names = missing().map((record) => record.device);
    if (outcome !== undefined && outcome.failed.length > 0)
      this.#refuse("unfinished", outcome.failed.map(describeError).join("; "));
    if (outcome === undefined || names.length > 0)
      this.#refuse(
        "unfinished",
        `${names.join(", ")} of the pod's claims is still being attached; the next try may find it there`,
      );
  }

  #checkReceipt(record: ClaimDevice, sandbox: Sandbox, container: SandboxContainer): void {
    const marker = markerIn(container.env, record.claimUid);
    if (marker === sandbox.id) {
      this.#cdiProblem = undefined;
      return;
    }
    const claim = `${record.claimNamespace}/${record.claimName}`;
    if (marker !== undefined)
      this.#refuse(
        "other-sandbox",
        `the receipt of claim ${claim} is for sandbox ${marker}, not for ${sandbox.id}: the next try finds the new one`,
      );
    if (this.#parts.receiptsUnseen === true || !this.#names(record, container)) return;
    this.#cdiProblem =
      "a container that names its claim came without the claim's CDI device: turn CDI on in the runtime (containerd 1.7: enable_cdi = true in the CRI plugin's configuration) and let cdi_spec_dirs name --cdi-dir";
    this.#refuse("no-receipt", `claim ${claim} has no receipt in container ${container.name}: ${this.#cdiProblem}`);
  }

  #names(record: ClaimDevice, container: SandboxContainer): boolean {
    const ids = [cdiDeviceId(this.#parts.driver, record.claimUid, baseRequest(record.request))];
    if (record.alias !== undefined) ids.push(cdiAliasId(record.alias));
    const annotated = Object.entries(container.annotations)
      .filter(([key]) => key.startsWith("cdi.k8s.io/"))
      .flatMap(([, value]) => value.split(","));
    return (
      record.namedBy?.includes(container.name) === true ||
      ids.some((id) => container.cdiDevices.includes(id) || annotated.includes(id))
    );
  }

  /** One that names the claim; where no container does, or nobody knows which do, every one of the pod's. */
  #uses(record: ClaimDevice, container: SandboxContainer): boolean {
    const isForAll = record.namedBy === undefined || record.namedBy.length === 0;
    return isForAll || markerIn(container.env, record.claimUid) !== undefined || this.#names(record, container);
  }

  /** A receipt of a claim that is another pod's. */
  #checkStrangers(sandbox: Sandbox, container: SandboxContainer): void {
    for (const record of this.#parts.store.records) {
      if (record.podUid === sandbox.podUid || markerIn(container.env, record.claimUid) === undefined) continue;
      this.#refuse(
        "other-sandbox",
        `claim ${record.claimNamespace}/${record.claimName} belongs to pod ${record.podNamespace}/${record.podName}: a network device is in one pod at a time`,
      );
    }
  }

  #refuse(reason: Refusal, sentence: string): never {
    this.#parts.onRefusal(reason);
    throw new ClaimError(sentence);
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
