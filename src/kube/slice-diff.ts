/**
 * Which writes bring the server's slices to the desired ones. Pure.
 *
 * Consumers use only the slices with the highest generation of a pool, and only when there are `resourceSliceCount` of
 * them. So one slice may change in place; whenever several change, or one comes or goes, all get the next generation,
 * and the pool stays unused until the last of them is written.
 */

import { isDeepStrictEqual } from "node:util";
import type { ResourceSlice } from "./client/wire.ts";
import { type DesiredSlice, namePrefix, type PoolIdentity, sliceObject } from "./slices.ts";

export interface SliceWrites {
  /** To be done in this order. Empty lists mean that nothing needs to be written. */
  readonly deletes: readonly ResourceSlice[];
  readonly updates: readonly { readonly existing: ResourceSlice; readonly wanted: ResourceSlice }[];
  readonly creates: readonly ResourceSlice[];
  /** Of the pool after these writes. */
  readonly generation: number;
}

export interface DiffOptions {
  /** The highest generation that we know of; a pool that was deleted goes on from there, since readers may lag. */
  readonly lastGeneration: number;
  /** True when `existing` is what the server makes of `wanted`; it may drop fields whose feature is off. */
  readonly accepts?: (wanted: ResourceSlice, existing: ResourceSlice) => boolean;
}

export function diffSlices(
  pool: PoolIdentity,
  desired: readonly DesiredSlice[],
  existing: readonly ResourceSlice[],
  options: DiffOptions,
): SliceWrites {
  const accepts = options.accepts ?? isSameContent;
  const ours = existing.filter((slice) => belongsTo(pool, slice));
  const current = Math.max(0, ...ours.map(generationOf));
  const matches = desired.map((_, index) => best(ours.filter((slice) => nameOf(slice).startsWith(namePrefix(index)))));
  const kept = new Set(matches);
  const deletes = existing.filter((slice) => !kept.has(slice));
  const count = desired.length;
  const at = (index: number, generation: number): ResourceSlice | undefined => {
    const slice = desired[index];
    return slice && sliceObject(pool, slice, { generation, count }, matches[index]);
  };
  const changed = desired.flatMap((_, index) => {
    const [match, wanted] = [matches[index], at(index, current)];
    return match !== undefined && wanted !== undefined && accepts(wanted, match) ? [] : [index];
  });
  // Slices of older generations are leftovers that nobody reads; deleting them changes nothing for anyone.
  const removed = deletes.some((slice) => belongsTo(pool, slice) && generationOf(slice) === current);
  const added = matches.includes(undefined);
  const sameGeneration = !added && !removed && changed.length <= 1;
  const generation = sameGeneration ? current : Math.max(current, options.lastGeneration) + 1;
  const updates: { existing: ResourceSlice; wanted: ResourceSlice }[] = [];
  const creates: ResourceSlice[] = [];
  for (const index of sameGeneration ? changed : desired.keys()) {
    const [match, wanted] = [matches[index], at(index, generation)];
    if (wanted === undefined) continue;
    if (match === undefined) creates.push(wanted);
    else updates.push({ existing: match, wanted });
  }
  return { deletes, updates, creates, generation };
}

/** Equal in everything that we write; the server adds names, versions and times. */
export function isSameContent(wanted: ResourceSlice, existing: ResourceSlice): boolean {
  return isDeepStrictEqual(contentOf(wanted), contentOf(existing));
}

/** What we write, without what is merely undefined, as JSON would show it. */
function contentOf({ metadata, spec }: ResourceSlice): unknown {
  const owner = metadata?.ownerReferences?.find(({ kind }) => kind === "Node");
  const { driver, nodeName, pool, devices = [] } = spec;
  const content = { owner: { name: owner?.name, uid: owner?.uid }, driver, nodeName, pool, devices };
  return JSON.parse(JSON.stringify(content));
}

function belongsTo(pool: PoolIdentity, { spec }: ResourceSlice): boolean {
  return spec.driver === pool.driver && spec.nodeName === pool.nodeName && spec.pool.name === pool.nodeName;
}

/** Of several slices for one place (two instances wrote at once) the newest generation, then the first name. */
function best(candidates: readonly ResourceSlice[]): ResourceSlice | undefined {
  return [...candidates].sort((a, b) => generationOf(b) - generationOf(a) || (nameOf(a) < nameOf(b) ? -1 : 1))[0];
}

function generationOf({ spec }: ResourceSlice): number {
  return spec.pool.generation;
}

function nameOf({ metadata }: ResourceSlice): string {
  return metadata?.name ?? "";
}
