/**
 * What is bound to what, from the files, the devices of the host and the bindings there are: pure. A binding stays as long
 * as its claim does, so that what a pod was promised does not change under it.
 */

import type { ConfigEntry } from "../config/merge.ts";
import type { Device } from "../inventory/device.ts";
import { ClaimError } from "../lib/errors.ts";
import { allocateClaim, type Choice } from "./allocate-claim.ts";
import type { Binding } from "./binding.ts";
import type { DeviceClass, OpaqueConfig, ResourceClaim } from "./objects.ts";
import type { Selectors } from "./selector.ts";

export interface AllocationInput {
  readonly claims: readonly ResourceClaim[];
  readonly classes: readonly DeviceClass[];
  /** In the order in which they are to be given away. */
  readonly devices: readonly Device[];
  readonly bindings: readonly Binding[];
  readonly driver: string;
  readonly pool: string;
  readonly selectors: Selectors;
  /** Whether a pod has the claim now: then its binding must stay, whatever became of the file. */
  readonly inUse: (claimUid: string) => boolean;
  readonly maxTries?: number;
}

export interface Refusal {
  readonly claim: Pick<ResourceClaim, "uid" | "namespace" | "name">;
  /** A full sentence's worth: why the claim has no devices, or why a change of its file has no effect yet. */
  readonly reason: string;
}

export interface Allocations {
  /** Those that stay, in their old order, then the new ones. */
  readonly bindings: readonly Binding[];
  /** Of these the ones that have to be stored. */
  readonly made: readonly Binding[];
  /** To be forgotten. */
  readonly released: readonly Binding[];
  readonly refused: readonly Refusal[];
}

const MAX_TRIES = 100_000;

/** Claims are served by namespace and name, so that the same files always give the same bindings. */
export function allocate(input: AllocationInput): Allocations {
  const { claims, inUse, maxTries = MAX_TRIES } = input;
  const byUid = new Map(claims.map((claim) => [claim.uid, claim]));
  const refused: Refusal[] = [];
  const [kept, released] = [[] as Binding[], [] as Binding[]];
  for (const binding of input.bindings) {
    const claim = byUid.get(binding.claimUid);
    if (claim?.digest === binding.digest) {
      kept.push(binding);
    } else if (inUse(binding.claimUid)) {
      kept.push(binding);
      refused.push({
        claim: { uid: binding.claimUid, namespace: binding.namespace, name: binding.name },
        reason: staleness(claim),
      });
    } else {
      released.push(binding);
    }
  }

  const claimsOf = new Map<string, number>();
  const count = (device: string) => claimsOf.set(device, (claimsOf.get(device) ?? 0) + 1);
  for (const { results } of kept) for (const { device } of results) count(device);
  const bound = new Set(kept.map(({ claimUid }) => claimUid));
  const classes = new Map(input.classes.map((one) => [one.name, one]));
  const made: Binding[] = [];
  for (const claim of claims.filter(({ uid }) => !bound.has(uid)).toSorted(byName)) {
    try {
      const full = input.devices.filter(({ name, shares = 1 }) => (claimsOf.get(name) ?? 0) >= shares);
      const taken = new Set(full.map(({ name }) => name));
      const chosen = allocateClaim(claim, { ...input, classes, taken, maxTries });
      for (const { device } of chosen) count(device.name);
      made.push(bind(claim, chosen, classes, input));
    } catch (error) {
      if (!(error instanceof ClaimError)) throw error;
      refused.push({ claim: { uid: claim.uid, namespace: claim.namespace, name: claim.name }, reason: error.message });
    }
  }
  return { bindings: [...kept, ...made], made, released, refused };
}

function staleness(claim: ResourceClaim | undefined): string {
  return claim === undefined
    ? "its file is gone, but a pod still has its devices: they stay with that pod until it ends"
    : "its spec was changed while a pod has its devices: the change takes effect once that pod has ended";
}

function bind(
  claim: ResourceClaim,
  chosen: readonly Choice[],
  classes: ReadonlyMap<string, DeviceClass>,
  { driver, pool }: AllocationInput,
): Binding {
  const ours = (
    configs: readonly OpaqueConfig[],
    source: ConfigEntry["source"],
    requests?: readonly string[],
  ): ConfigEntry[] =>
    configs
      .filter((config) => config.driver === driver)
      .map((config) => ({ source, requests: requests ?? config.requests, parameters: config.parameters }));
  const requests = claim.requests.flat().filter(({ name }) => chosen.some((choice) => choice.request === name));
  return {
    claimUid: claim.uid,
    namespace: claim.namespace,
    name: claim.name,
    digest: claim.digest,
    results: chosen.map(({ request, device }) => ({
      request,
      driver,
      pool,
      device: device.name,
      // A claim has each device once at the most.
      ...(device.shares === undefined ? {} : { shareId: claim.uid }),
    })),
    configs: [
      ...requests.flatMap(({ name, deviceClassName }) =>
        ours(classes.get(deviceClassName)?.configs ?? [], "FromClass", [name]),
      ),
      ...ours(claim.configs, "FromClaim"),
    ],
  };
}

function byName(left: ResourceClaim, right: ResourceClaim): number {
  const [mine, theirs] = [left, right].map(({ namespace, name }) => `${namespace}/${name}`);
  return (mine ?? "") < (theirs ?? "") ? -1 : 1;
}
