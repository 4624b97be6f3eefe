/**
 * The server's slices as far as we know them: the watch's picture plus our own writes, which the watch brings late.
 * Until it has brought a write of ours, older events of that object are ignored.
 */

import type { Change } from "./client/list-watch.ts";
import type { ResourceSlice } from "./client/wire.ts";

const DELETED = Symbol("deleted");

export class SliceMirror {
  readonly #slices = new Map<string, ResourceSlice>();
  /** By name: the version that our own write made, or that we deleted it; not yet seen in the watch. */
  readonly #awaited = new Map<string, string | typeof DELETED>();

  #highestGeneration = 0;

  /** Of all slices ever seen: who reads the pool may lag behind a deletion. */
  get highestGeneration(): number {
    return this.#highestGeneration;
  }

  get slices(): readonly ResourceSlice[] {
    return [...this.#slices.values()];
  }

  /** The whole truth, from a list. */
  replace(slices: readonly ResourceSlice[]): void {
    this.#slices.clear();
    this.#awaited.clear();
    for (const slice of slices) this.#keep(slice);
  }

  /** A watch event. True when the picture changed by it. */
  apply({ type, object }: Change<ResourceSlice>): boolean {
    const name = nameOf(object);
    const awaited = this.#awaited.get(name);
    if (type === "DELETED") {
      this.#awaited.delete(name);
      return this.#slices.delete(name);
    }
    if (awaited !== undefined) {
      if (awaited === object.metadata?.resourceVersion) this.#awaited.delete(name);
      return false;
    }
    const known = this.#slices.get(name)?.metadata?.resourceVersion;
    this.#keep(object);
    return known !== object.metadata?.resourceVersion;
  }

  /** We wrote this; `slice` is the server's answer. */
  wrote(slice: ResourceSlice): void {
    const name = nameOf(slice);
    const version = slice.metadata?.resourceVersion;
    // The watch may have been quicker than the answer, and a write without a change makes no event.
    if (version !== undefined && version !== this.#slices.get(name)?.metadata?.resourceVersion)
      this.#awaited.set(name, version);
    this.#keep(slice);
  }

  /** We deleted this, or found it gone. */
  removed(name: string): void {
    if (this.#slices.delete(name)) this.#awaited.set(name, DELETED);
  }

  #keep(slice: ResourceSlice): void {
    this.#slices.set(nameOf(slice), slice);
    this.#highestGeneration = Math.max(this.#highestGeneration, slice.spec.pool.generation);
  }
}

function nameOf({ metadata }: ResourceSlice): string {
  return metadata?.name ?? "";
}
