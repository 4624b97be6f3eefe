/** The standalone mode: claims from files, bound by our own allocator, named by pods in an annotation. */

import { type AllocatedClaim, prepareClaim } from "../attach/prepare.ts";
import { configFor } from "../config/merge.ts";
import type { Condition } from "../http/app.ts";
import { ClaimError } from "../lib/errors.ts";
import type { Sandbox } from "../nri/handlers.ts";
import { allocate, type Refusal } from "../standalone/allocator.ts";
import { claimNames } from "../standalone/annotation.ts";
import type { Binding } from "../standalone/binding.ts";
import { watchClaimDirectory } from "../standalone/claim-directory.ts";
import type { ClaimFiles } from "../standalone/claim-file.ts";
import { loadSelectors, noSelectors, type Selectors } from "../standalone/selector.ts";
import type { Mode, ModeParts } from "./mode.ts";

export async function standaloneMode(parts: ModeParts): Promise<Mode> {
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
        for await (const _ of parts.inventory.changes(signal)) await claims.devicesChanged();
      },
    },
    prepareSandbox: (sandbox) => claims.prepareSandbox(sandbox),
    sandboxGone: (sandbox) => claims.sandboxGone(sandbox),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

class StandaloneClaims {
  readonly #parts: ModeParts;
  #bindings: Binding[];
  #refused: readonly Refusal[] = [];
  #files: ClaimFiles | undefined;
  #scanned = false;
  #selectors: Selectors = noSelectors;
  /** Problems that were logged already. */
  #told = new Set<string>();
  /** Resolves once both the files and the host have been read: before, nothing is known to be missing. */
  readonly #allocated = Promise.withResolvers<void>();

  constructor(parts: ModeParts) {
    this.#parts = parts;
    this.#bindings = parts.store.bindings().map((text) => JSON.parse(text) as Binding);
  }

  async filesChanged(files: ClaimFiles): Promise<void> {
    const { log, config } = this.#parts;
    const usesCel =
      files.classes.some((one) => one.selectors.length > 0) ||
      files.claims.some((claim) => claim.requests.flat().some((request) => request.selectors.length > 0));
    if (usesCel && this.#selectors === noSelectors) this.#selectors = await loadSelectors(config.driverName);
    this.#files = files;
    log.info("claim files read", { claims: files.claims.length, classes: files.classes.length, problems: files.problems.length });
    this.#allocate();
  }

  async devicesChanged(): Promise<void> {
    this.#scanned ||= this.#parts.inventory.lastScanMs !== undefined;
    this.#allocate();
  }

  /** Puts what the sandbox's pod claims into the store. Rejects with a ClaimError when a claim cannot be met. */
  async prepareSandbox(sandbox: Sandbox): Promise<void> {
    const names = claimNames(sandbox.annotations);
    if (names.length === 0) return;
    const { config, store, runtimeProblem: _, ...parts } = this.#parts;
    if (!config.runtimeHandlers.includes(sandbox.runtimeHandler))
      throw new ClaimError(
        `pod ${sandbox.podNamespace}/${sandbox.podName} runs with the handler ${sandbox.runtimeHandler}, which is not in --runtime-handlers: such runtimes look at the network before a device can be there`,
      );
    await this.#allocated.promise;
    for (const name of names) {
      const binding = this.#bindingOf(sandbox.podNamespace, name);
      const other = store.ofClaim(binding.claimUid).find((r) => r.podUid !== sandbox.podUid && r.attachment !== undefined);
      if (other !== undefined)
        throw new ClaimError(
          `claim ${binding.namespace}/${name} is in use by pod ${other.podNamespace}/${other.podName}: a network device is in one pod at a time`,
        );
      const pod = {
        uid: sandbox.podUid,
        name: sandbox.podName,
        namespace: sandbox.podNamespace,
        hostNetwork: sandbox.netnsPath === undefined,
      };
      const findDevice = (device: string, signal: AbortSignal) => this.#findDevice(device, signal);
      await prepareClaim({ ...parts, store, findDevice }, allocatedClaim(binding), pod, AbortSignal.timeout(30_000));
    }
  }

  /** The pod's devices are at home: the claims are free for the next pod. */
  async sandboxGone(sandbox: Sandbox): Promise<void> {
    const { store } = this.#parts;
    const records = store.ofPod(sandbox.podUid).filter((record) => record.attachment === undefined);
    for (const claimUid of new Set(records.map((record) => record.claimUid))) store.removeClaim(claimUid);
    if (records.length > 0) this.#allocate();
  }

  condition(): Condition {
    if (this.#files === undefined) return { name: "claims", ready: false, message: "the claim files were not read yet" };
    const problems = this.#problems();
    const summary = `${this.#bindings.length} claims have their devices`;
    // A bad file is its pods' problem: the node serves all the others.
    return { name: "claims", ready: true, message: problems.length === 0 ? summary : `${summary}; ${problems.join("; ")}` };
  }

  #allocate(): void {
    if (this.#files === undefined || !this.#scanned) return;
    const { config, inventory, store } = this.#parts;
    const result = allocate({
      claims: this.#files.claims,
      classes: this.#files.classes,
      devices: inventory.devices,
      bindings: this.#bindings,
      driver: config.driverName,
      pool: config.nodeName,
      selectors: this.#selectors,
      inUse: (claimUid) => store.ofClaim(claimUid).some((record) => record.attachment !== undefined),
    });
    for (const { claimUid } of result.released) {
      store.removeBinding(claimUid);
      store.removeClaim(claimUid);
    }
    for (const binding of result.made) store.putBinding(binding.claimUid, JSON.stringify(binding));
    this.#bindings = [...result.bindings];
    this.#refused = result.refused;
    this.#tell();
    this.#allocated.resolve();
  }

  #bindingOf(namespace: string, name: string): Binding {
    const same = (claim: { readonly namespace: string; readonly name: string }) => claim.namespace === namespace && claim.name === name;
    const refusal = this.#refused.find(({ claim }) => same(claim));
    const binding = this.#bindings.find(same);
    if (binding !== undefined) return binding;
    throw new ClaimError(
      refusal === undefined
        ? `no file in ${this.#parts.config.claimsDir} has a ResourceClaim ${namespace}/${name}`
        : `claim ${namespace}/${name} cannot be met: ${refusal.reason}`,
    );
  }

  async #findDevice(name: string, signal: AbortSignal) {
    const find = () => this.#parts.inventory.devices.find((device) => device.name === name);
    return find() ?? (await this.#parts.inventory.rescan(signal)).find((device) => device.name === name);
  }

  #problems(): readonly string[] {
    return [
      ...(this.#files?.problems ?? []).map(({ file, line, reason }) => `${file}${line > 0 ? `:${line}` : ""}: ${reason}`),
      ...this.#refused.map(({ claim, reason }) => `claim ${claim.namespace}/${claim.name}: ${reason}`),
    ];
  }

  /** Each problem once, again when it comes back. */
  #tell(): void {
    const problems = new Set(this.#problems());
    for (const problem of problems)
      if (!this.#told.has(problem)) this.#parts.log.error("claim cannot be served", { problem });
    this.#told = problems;
  }
}

function allocatedClaim(binding: Binding): AllocatedClaim {
  return {
    uid: binding.claimUid,
    namespace: binding.namespace,
    name: binding.name,
    alias: binding.name,
    devices: binding.results.map(({ request, pool, device }) => ({
      request,
      pool,
      device,
      config: configFor(binding.configs, request),
    })),
  };
}
