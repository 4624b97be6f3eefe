/** The standalone mode: claims from files, bound by our own allocator, named by pods in an annotation. */

import type { ConsumerPod } from "../attach/allocated.ts";
import { prepareClaim } from "../attach/prepare.ts";
import type { Condition } from "../http/condition.ts";
import { ClaimError } from "../lib/errors.ts";
import { KeyedMutex } from "../lib/keyed-mutex.ts";
import type { Sandbox } from "../nri/handlers.ts";
import { claimNames } from "../standalone/annotation.ts";
import type { Binding } from "../standalone/binding.ts";
import { ClaimBook } from "../standalone/claim-book.ts";
import { watchClaimDirectory } from "../standalone/claim-directory.ts";
import type { ClaimFiles } from "../standalone/claim-file.ts";
import { allocatedClaim } from "./allocated-claim.ts";
import { withLayers } from "./config-layers.ts";
import { findDevice } from "./find-device.ts";
import type { Mode, ModeParts } from "./mode.ts";

/** For planning one device: a scan of the host at the most. */
const PREPARE_LIMIT_MS = 30_000;

export function standaloneMode(parts: ModeParts): Mode {
  const claims = new StandaloneClaims(parts);
  return {
    conditions: () => [claims.condition()],
    tasks: {
      claimFiles: (signal) =>
        watchClaimDirectory({
          directory: parts.config.claimsDir,
          signal,
          clock: parts.clock,
          onChange: (files) => claims.filesChanged(files),
        }),
      allocation: async (signal) => {
        for await (const _ of parts.inventory.changes(signal)) await claims.update();
      },
    },
    gate: {
      sandboxesKnown: (sandboxes) => claims.sandboxesKnown(sandboxes),
      prepareSandbox: (sandbox) => claims.prepareSandbox(sandbox),
      sandboxGone: (sandbox) => claims.sandboxGone(sandbox),
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

class StandaloneClaims {
  readonly #parts: ModeParts;
  readonly #book: ClaimBook;
  #files: ClaimFiles | undefined;
  /** Two pods that name one claim must not both see it free. */
  readonly #perClaim = new KeyedMutex();
  /** Pods by the ids of their sandboxes; `undefined` until the runtime has told. */
  #sandboxes: Map<string, string> | undefined;
  /** Resolves once both the files and the host have been read: before, nothing is known to be missing. */
  readonly #bound = Promise.withResolvers<void>();

  constructor(parts: ModeParts) {
    const { store, config, log } = parts;
    this.#parts = parts;
    this.#book = new ClaimBook({
      driver: config.driverName,
      pool: config.nodeName,
      log: log.child({ part: "claims" }),
      inUse: (claimUid) => store.ofClaim(claimUid).some((record) => record.attachment !== undefined),
      store: {
        load: () => store.bindings().map((text) => JSON.parse(text) as Binding),
        save: (binding) => store.putBinding(binding.claimUid, JSON.stringify(binding)),
        remove: (claimUid) => {
          store.removeBinding(claimUid);
          this.#forget(claimUid);
        },
      },
    });
  }

  async filesChanged(files: ClaimFiles): Promise<void> {
    this.#files = files;
    await this.update();
  }

  /** After a change of files or devices, and after a claim became free. */
  async update(): Promise<void> {
    const { inventory } = this.#parts;
    if (this.#files === undefined || inventory.lastScanMs === undefined) return;
    this.#forgetDeadPods();
    await this.#book.update(this.#files, inventory.devices);
    this.#bound.resolve();
  }

  /** After each connect: pods that ended meanwhile are not among these. */
  sandboxesKnown(sandboxes: readonly Sandbox[]): void {
    this.#sandboxes = new Map(sandboxes.map((sandbox) => [sandbox.id, sandbox.podUid]));
  }

  /** Puts what the sandbox's pod claims into the store. Rejects with a ClaimError when a claim cannot be met. */
  async prepareSandbox(sandbox: Sandbox): Promise<void> {
    const names = claimNames(sandbox.annotations);
    if (names.length === 0) return;
    this.#sandboxes?.set(sandbox.id, sandbox.podUid);
    const { config } = this.#parts;
    if (!config.runtimeHandlers.includes(sandbox.runtimeHandler))
      throw new ClaimError(
        `pod ${sandbox.podNamespace}/${sandbox.podName} runs with the handler ${sandbox.runtimeHandler}, which is not in --runtime-handlers: such runtimes look at the network before a device can be there`,
      );
    await this.#bound.promise;
    const pod = {
      uid: sandbox.podUid,
      name: sandbox.podName,
      namespace: sandbox.podNamespace,
      hostNetwork: sandbox.netnsPath === undefined,
    };
    for (const name of names) {
      const { uid } = this.#book.factsFor(name, pod);
      await this.#perClaim.run(uid, () => this.#prepare(name, pod));
    }
  }

  async #prepare(name: string, pod: ConsumerPod): Promise<void> {
    const { store, inventory } = this.#parts;
    const facts = this.#book.factsFor(name, pod);
    const holder = store
      .ofClaim(facts.uid)
      .find((r) => r.podUid !== pod.uid && (r.attachment !== undefined || this.#isAlive(r.podUid)));
    if (holder !== undefined)
      throw new ClaimError(
        `claim ${facts.namespace}/${name} is in use by pod ${holder.podNamespace}/${holder.podName}: a network device is in one pod at a time`,
      );
    const parts = {
      ...this.#parts,
      driver: this.#parts.config.driverName,
      findDevice: (device: string, signal: AbortSignal) => findDevice(inventory, device, signal),
    };
    const limit = AbortSignal.timeout(PREPARE_LIMIT_MS);
    const asked = { ...(await allocatedClaim(facts, this.#parts.config)), alias: name };
    try {
      await prepareClaim(parts, await withLayers(parts, asked, pod, limit), pod, limit);
    } catch (error) {
      // Nobody says Unprepare of a claim that was never prepared: what is held for it goes back now.
      if (store.ofClaim(facts.uid).length === 0 && store.profiles.ofClaim(facts.uid).length > 0)
        store.removeClaim(facts.uid);
      throw error;
    }
  }

  /** The pod's devices are at home: its claims are free for the next pod. */
  async sandboxGone(sandbox: Sandbox): Promise<void> {
    this.#sandboxes?.delete(sandbox.id);
    if (this.#parts.store.ofPod(sandbox.podUid).length > 0) await this.update();
  }

  /** No kubelet says Unprepare here: a claim is free once its pod is gone and its devices are home. */
  #forgetDeadPods(): void {
    const { store } = this.#parts;
    if (this.#sandboxes === undefined) return;
    for (const { claimUid, podUid, attachment } of store.records)
      if (attachment === undefined && !this.#isAlive(podUid)) this.#forget(claimUid);
  }

  /** At once, since the claim may be the next pod's; that its leases are free is told meanwhile. */
  #forget(claimUid: string): void {
    const { store, leases } = this.#parts;
    void leases.release(store.ofClaim(claimUid));
    store.removeClaim(claimUid);
  }

  #isAlive(podUid: string): boolean {
    return [...(this.#sandboxes?.values() ?? [])].includes(podUid);
  }

  /** A bad file is the problem of its pods: the node serves all the others and is ready. */
  condition(): Condition {
    if (this.#files === undefined)
      return { name: "claims", ready: false, message: "the claim files were not read yet" };
    const problems = [
      ...this.#book.problems.map(({ file, line, reason }) => `${line === 0 ? file : `${file}:${line}`} ${reason}`),
      ...this.#book.refused.map(({ claim, reason }) => `claim ${claim.namespace}/${claim.name}: ${reason}`),
    ];
    const summary = `${this.#book.bindings.length} claims have their devices`;
    return { name: "claims", ready: true, message: [summary, ...problems].join("; ") };
  }
}
