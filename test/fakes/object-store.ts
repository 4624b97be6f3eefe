/** The memory of the fake API server: objects under their paths, one counter of versions, and what happened since. */

import { isDeepStrictEqual } from "node:util";

export interface Stored {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name?: string;
    generateName?: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    creationTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Readonly<Record<string, string>>;
    ownerReferences?: { uid: string }[];
  };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  /** Of a RuntimeClass, which has no spec. */
  handler?: string;
}

export interface StoreEvent {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** `/apis/resource.k8s.io/v1/resourceslices` */
  readonly collection: string;
  readonly object: Stored;
}

export class ObjectStore {
  version = 100;
  readonly #objects = new Map<string, Stored>();
  #history: StoreEvent[] = [];
  #oldest = 0;
  readonly #listeners = new Set<(event: StoreEvent) => void>();

  get(path: string): Stored | undefined {
    return structuredClone(this.#objects.get(path));
  }

  list(collection: string): Stored[] {
    const inside = [...this.#objects].filter(([path]) => path.startsWith(`${collection}/`));
    return inside.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => structuredClone(object));
  }

  /** Stores a new object; `uid` is given by the server. */
  add(collection: string, object: Stored): Stored {
    const stored = structuredClone(object);
    stored.metadata.uid ??= crypto.randomUUID();
    stored.metadata.creationTimestamp = new Date().toISOString();
    this.#record("ADDED", collection, stored);
    this.#objects.set(`${collection}/${stored.metadata.name}`, stored);
    return structuredClone(stored);
  }

  /** Replaces an object. A write without a change gets no new version, as on a real server. */
  replace(collection: string, object: Stored): Stored {
    const path = `${collection}/${object.metadata.name}`;
    const old = this.#objects.get(path);
    const stored = structuredClone(object);
    stored.metadata.uid = old?.metadata.uid ?? crypto.randomUUID();
    if (old?.metadata.creationTimestamp !== undefined)
      stored.metadata.creationTimestamp = old.metadata.creationTimestamp;
    if (old?.metadata.resourceVersion !== undefined) stored.metadata.resourceVersion = old.metadata.resourceVersion;
    if (isDeepStrictEqual(stored, old)) return structuredClone(stored);
    this.#record("MODIFIED", collection, stored);
    this.#objects.set(path, stored);
    return structuredClone(stored);
  }

  remove(collection: string, name: string): Stored | undefined {
    const path = `${collection}/${name}`;
    const old = this.#objects.get(path);
    if (old === undefined) return undefined;
    this.#objects.delete(path);
    this.#record("DELETED", collection, old);
    return structuredClone(old);
  }

  /** What happened after `version`; undefined when that is forgotten. */
  since(version: number): StoreEvent[] | undefined {
    if (version < this.#oldest) return undefined;
    return this.#history.filter((event) => event.version > version);
  }

  /** As etcd's compaction: watches from before now must list again. */
  compact(): void {
    this.version++;
    this.#history = [];
    this.#oldest = this.version;
  }

  listen(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #record(type: StoreEvent["type"], collection: string, object: Stored): void {
    object.metadata.resourceVersion = String(++this.version);
    const event = { version: this.version, type, collection, object: structuredClone(object) };
    this.#history.push(event);
    for (const listener of this.#listeners) listener(event);
  }
}
