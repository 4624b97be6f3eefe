/** Carries out the writes of a plan, and learns from the answers what this server drops or refuses. */

import type { Logger } from "../lib/log.ts";
import type { KubeClient } from "./client/kube-client.ts";
import { isNotFound, KubeError } from "./client/kube-error.ts";
import type { ResourceSlice, SliceDevice } from "./client/wire.ts";
import { isSameContent, type SliceWrites } from "./slice-diff.ts";
import type { SliceMirror } from "./slice-mirror.ts";

export const SLICES_PATH = "/apis/resource.k8s.io/v1/resourceslices";

export interface SliceWriterOptions {
  readonly client: Pick<KubeClient, "create" | "update" | "delete">;
  readonly mirror: SliceMirror;
  readonly log: Logger;
}

export class SliceWriter {
  readonly #options: SliceWriterOptions;
  /** Devices that the server refused, as they were: with another attribute they are tried again. */
  readonly #refused = new Set<string>();
  /** By slice name: what we sent and what the server made of it, where that differs. */
  readonly #dropped = new Map<string, { readonly sent: string; readonly kept: string }>();

  constructor(options: SliceWriterOptions) {
    this.#options = options;
  }

  refused(device: SliceDevice): boolean {
    return this.#refused.has(JSON.stringify(device));
  }

  /** True when `existing` is what this server makes of `wanted`. */
  accepts(wanted: ResourceSlice, existing: ResourceSlice): boolean {
    if (isSameContent(wanted, existing)) return true;
    const known = this.#dropped.get(existing.metadata?.name ?? "");
    if (known?.sent !== devicesOf(wanted) || known.kept !== devicesOf(existing)) return false;
    const devices = wanted.spec.devices ?? [];
    return isSameContent(wanted, { ...existing, spec: { ...existing.spec, devices } });
  }

  /**
   * False when the server refused a device: plan again without it. Throws KubeError or ConflictError for the rest;
   * the mirror then holds what was written until there.
   */
  async write(plan: SliceWrites, signal: AbortSignal): Promise<boolean> {
    for (const slice of plan.deletes) await this.#delete(slice, signal);
    for (const { existing, wanted } of plan.updates) {
      const path = `${SLICES_PATH}/${existing.metadata?.name}`;
      if (!(await this.#put(wanted, () => this.#options.client.update(path, wanted, { signal })))) return false;
    }
    for (const wanted of plan.creates)
      if (!(await this.#put(wanted, () => this.#options.client.create(SLICES_PATH, wanted, { signal })))) return false;
    return true;
  }

  async #put(wanted: ResourceSlice, send: () => Promise<ResourceSlice>): Promise<boolean> {
    let stored: ResourceSlice;
    try {
      stored = await send();
    } catch (error) {
      if (this.#refuse(wanted, error)) return false;
      throw error;
    }
    this.#options.mirror.wrote(stored);
    const name = stored.metadata?.name ?? "";
    if (isSameContent(wanted, stored)) {
      this.#dropped.delete(name);
      return true;
    }
    this.#dropped.set(name, { sent: devicesOf(wanted), kept: devicesOf(stored) });
    this.#options.log.warn("the API server dropped fields of a resource slice: a feature gate is off there", {
      slice: name,
      sent: wanted.spec,
      stored: stored.spec,
    });
    return true;
  }

  async #delete(slice: ResourceSlice, signal: AbortSignal): Promise<void> {
    const { name = "", uid, resourceVersion } = slice.metadata ?? {};
    const preconditions = {
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    try {
      await this.#options.client.delete(`${SLICES_PATH}/${name}`, { signal, preconditions });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    this.#options.mirror.removed(name);
  }

  /** One device that the server does not like must not cost the node all others. True when one was found. */
  #refuse(wanted: ResourceSlice, error: unknown): boolean {
    if (!(error instanceof KubeError) || error.status !== 422) return false;
    const before = this.#refused.size;
    const indices = new Set(error.causes.flatMap(({ field }) => /^spec\.devices\[(\d+)\]/.exec(field)?.[1] ?? []));
    for (const index of indices) {
      const device = wanted.spec.devices?.[Number(index)];
      if (device === undefined) continue;
      this.#refused.add(JSON.stringify(device));
      this.#options.log.error("a device is left out, since the API server refuses it", { device: device.name, error });
    }
    return this.#refused.size > before;
  }
}

function devicesOf({ spec }: ResourceSlice): string {
  return JSON.stringify(spec.devices ?? []);
}
