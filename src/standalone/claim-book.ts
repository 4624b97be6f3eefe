/** Which claims there are, what each is bound to, and why it is not: the files, the allocator and the store put together. */

import type { Device } from "../inventory/device.ts";
import { ClaimError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { type Allocations, allocate, type Refusal } from "./allocator.ts";
import type { Binding, BindingStore } from "./binding.ts";
import { type ClaimFacts, claimFacts } from "./claim-facts.ts";
import type { ClaimFiles, FileProblem } from "./claim-file.ts";
import { loadSelectors, noSelectors, type Selectors } from "./selector.ts";

export interface ClaimBookOptions {
  readonly store: BindingStore;
  readonly driver: string;
  readonly pool: string;
  readonly log: Logger;
  /** Whether a pod has the claim's devices, or is about to get them. */
  readonly inUse: (claimUid: string) => boolean;
}

export interface ClaimPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export class ClaimBook {
  readonly #options: ClaimBookOptions;
  readonly #logged = new Set<string>();
  #bindings: readonly Binding[];
  #refused: readonly Refusal[] = [];
  #problems: readonly FileProblem[] = [];
  #selectors: Promise<Selectors> | undefined;

  constructor(options: ClaimBookOptions) {
    this.#options = options;
    this.#bindings = options.store.load();
  }

  get bindings(): readonly Binding[] {
    return this.#bindings;
  }

  /** Claims that have no devices, or whose change has no effect yet, with the reason. */
  get refused(): readonly Refusal[] {
    return this.#refused;
  }

  get problems(): readonly FileProblem[] {
    return this.#problems;
  }

  /**
   * After a change of the files or the devices, and after a pod let go of its claim. Running it again changes nothing.
   * A binding is in the store before anybody can look it up.
   */
  async update(files: ClaimFiles, devices: readonly Device[]): Promise<Allocations> {
    const selectors = hasSelectors(files) ? await this.#loaded() : noSelectors;
    // No waiting from here on: two updates at once must not both give the same device away.
    const done = allocate({ ...files, ...this.#options, devices, bindings: this.#bindings, selectors });
    for (const { claimUid } of done.released) this.#options.store.remove(claimUid);
    for (const binding of done.made) this.#options.store.save(binding);
    this.#bindings = done.bindings;
    this.#refused = done.refused;
    this.#problems = files.problems;
    this.#report(done);
    return done;
  }

  /** The claim for this pod. Throws a ClaimError that says why there is none. */
  factsFor(name: string, pod: ClaimPod): ClaimFacts {
    const binding = this.#bindings.find((one) => one.namespace === pod.namespace && one.name === name);
    if (binding) return claimFacts(binding, pod);
    const refusal = this.#refused.find(({ claim }) => claim.namespace === pod.namespace && claim.name === name);
    const claim = `ResourceClaim ${pod.namespace}/${name}`;
    if (refusal) throw new ClaimError(`${claim} has no devices: ${refusal.reason}`);
    const files = this.#problems.map(({ file, line }) => (line === 0 ? file : `${file}:${line}`));
    throw new ClaimError(
      `${claim} is in no file${files.length === 0 ? "" : `; it may be in one that has problems: ${files.join(", ")}`}`,
    );
  }

  /** The CEL library is loaded for the first claim that needs it. */
  #loaded(): Promise<Selectors> {
    this.#selectors ??= loadSelectors(this.#options.driver);
    return this.#selectors;
  }

  /** Each problem once while it lasts, not at every scan of the host. */
  #report({ made, released, refused }: Allocations): void {
    const { log } = this.#options;
    for (const { namespace, name, claimUid, results } of made) {
      log.info("claim bound", {
        claim: `${namespace}/${name}`,
        claimUid,
        devices: results.map(({ device }) => device),
      });
    }
    for (const { namespace, name, claimUid } of released)
      log.info("claim released", { claim: `${namespace}/${name}`, claimUid });
    const lines = [
      ...this.#problems.map((problem) => ["claim file has a problem", { ...problem }] as const),
      ...refused.map(
        ({ claim, reason }) =>
          ["claim is not served", { claim: `${claim.namespace}/${claim.name}`, claimUid: claim.uid, reason }] as const,
      ),
    ];
    const present = new Set(lines.map((line) => JSON.stringify(line)));
    for (const [message, fields] of lines)
      if (!this.#logged.has(JSON.stringify([message, fields]))) log.warn(message, fields);
    this.#logged.clear();
    for (const text of present) this.#logged.add(text);
  }
}

function hasSelectors({ claims, classes }: ClaimFiles): boolean {
  return [...classes, ...claims.flatMap((claim) => claim.requests.flat())].some(
    ({ selectors }) => selectors.length > 0,
  );
}
