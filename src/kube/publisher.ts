/** Keeps the node's ResourceSlices what the inventory says, whoever changes or deletes them. */

import type { Device } from "../inventory/device.ts";
import type { Clock } from "../lib/clock.ts";
import { ConflictError, describeError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { type Backoff, backoffDelayMs } from "../lib/retry.ts";
import { Wakeup } from "../lib/wakeup.ts";
import type { KubeClient } from "./client/kube-client.ts";
import { isNotFound, KubeError } from "./client/kube-error.ts";
import { LIST_WATCH_BACKOFF, listAndWatch } from "./client/list-watch.ts";
import type { Node, ResourceSlice, SliceDevice } from "./client/wire.ts";
import { type Offer, offerDevices } from "./offer.ts";
import { diffSlices, type SliceWrites } from "./slice-diff.ts";
import { SliceMirror } from "./slice-mirror.ts";
import { SLICES_PATH, SliceWriter } from "./slice-writer.ts";
import { desiredSlices, type PoolIdentity } from "./slices.ts";

/**
 * Before a repair. A kubelet that starts wipes the node's slices once, in well under a second, so 1 to 2 s is enough
 * not to write into the wiping, and the node's devices are gone from the scheduler no longer than that. When repairs
 * follow each other somebody fights us: the delay doubles up to the 30 s that the Go helper always waits.
 */
export const REPAIR_DELAY: Backoff = { firstMs: 2000, limitMs: 30_000, jitter: 0.5 };
/** After this long without a repair the fight is over. */
const PEACE_MS = 60_000;
const FAILURE_BACKOFF: Backoff = { firstMs: 1000, limitMs: 60_000, jitter: 0.5 };

export interface Published {
  readonly total: number;
  readonly rdma: number;
  readonly slices: number;
  readonly generation: number;
}

export interface SlicePublisherOptions {
  readonly client: Pick<KubeClient, "get" | "list" | "create" | "update" | "delete" | "watch">;
  readonly driver: string;
  /** Also the pool's name. */
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The server has what we want: after each write, and once when nothing needed to be written. */
  readonly onPublished?: (published: Published, atMs: number) => void;
  readonly repairDelay?: Backoff;
  /** Of failed writes and of failed watches. */
  readonly failureBackoff?: Backoff;
}

export class SlicePublisher {
  readonly #options: SlicePublisherOptions;
  readonly #log: Logger;
  readonly #mirror = new SliceMirror();
  readonly #writer: SliceWriter;
  readonly #wakeup = new Wakeup();
  #desired: readonly Device[] | undefined;
  #listed = false;
  /** There is a reason of our own to write; without one it is somebody else's change that woke us. */
  #asked = false;
  #nodeUid: string | undefined;
  #repairs = 0;
  #lastRepairMs = Number.NEGATIVE_INFINITY;
  #told = new Set<string>();
  #lastPublishedAtMs: number | undefined;

  constructor(options: SlicePublisherOptions) {
    this.#options = options;
    this.#log = options.log.child({ driver: options.driver, nodeName: options.nodeName });
    this.#writer = new SliceWriter({ client: options.client, mirror: this.#mirror, log: this.#log });
  }

  /** Milliseconds since 1970 of the last onPublished; undefined before that. */
  get lastPublishedAtMs(): number | undefined {
    return this.#lastPublishedAtMs;
  }

  /** Desired state in; may be called at any time, also with equal devices. */
  publish(devices: readonly Device[]): void {
    this.#desired = devices;
    this.#asked = true;
    this.#wakeup.call();
  }

  /**
   * Returns once `signal` aborts. Deletes nothing then: over an update the slices stay, and after a removal the kubelet
   * wipes them.
   */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const inner = AbortSignal.any([signal, ended.signal]);
    // Neither task may outlive the other.
    const results = await Promise.allSettled(
      [this.#keepWatching(inner), this.#keepWriting(inner)].map((task) => task.finally(() => ended.abort())),
    );
    for (const result of results) if (result.status === "rejected" && !signal.aborted) throw result.reason;
  }

  #keepWatching(signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
    return listAndWatch<ResourceSlice>({
      client,
      path: SLICES_PATH,
      query: this.#query,
      signal,
      clock,
      backoff: this.#options.failureBackoff ?? LIST_WATCH_BACKOFF,
      onList: ({ items }) => {
        this.#mirror.replace(items);
        this.#listed = true;
        this.#wakeup.call();
      },
      onChange: (change) => {
        if (this.#mirror.apply(change)) this.#wakeup.call();
      },
      onFailure: (error, delayMs) =>
        this.#log.warn("resource slices cannot be watched, trying again", { delayMs, error }),
    });
  }

  get #query(): { readonly fieldSelector: string } {
    const { driver, nodeName } = this.#options;
    return { fieldSelector: `spec.nodeName=${nodeName},spec.driver=${driver}` };
  }

  async #keepWriting(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const backoff = this.#options.failureBackoff ?? FAILURE_BACKOFF;
    for (let attempt = 0; await this.#wakeup.wait(signal); ) {
      if (this.#desired === undefined || !this.#listed) continue;
      try {
        if (!this.#asked) await this.#waitBeforeRepair(signal);
        this.#asked = false;
        await this.#sync(signal);
        attempt = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof KubeError) && !(error instanceof ConflictError)) throw error;
        const delayMs = backoffDelayMs(backoff, attempt++);
        this.#log.warn("resource slices cannot be published, trying again", { delayMs, error });
        this.#asked = true;
        this.#wakeup.call();
        await clock.sleep(delayMs, signal).catch(() => undefined); // wait() then sees the abort
      }
    }
  }

  /** Waits if there is something to write, which then is somebody else's doing. */
  async #waitBeforeRepair(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    if (this.#nodeUid === undefined || isEmpty(this.#plan(this.#offer(), this.#nodeUid))) return;
    if (clock.nowMs() - this.#lastRepairMs > PEACE_MS) this.#repairs = 0;
    const delayMs = backoffDelayMs(this.#options.repairDelay ?? REPAIR_DELAY, this.#repairs++);
    this.#log.info("resource slices were changed by somebody else and will be repaired", { delayMs });
    await clock.sleep(delayMs, signal);
    this.#lastRepairMs = clock.nowMs();
  }

  /** Writes what differs. Throws KubeError or ConflictError. */
  async #sync(signal: AbortSignal): Promise<void> {
    let offer = this.#offer();
    this.#tell(offer);
    this.#nodeUid ??= await this.#readNodeUid(signal);
    let plan = this.#plan(offer, this.#nodeUid);
    if (isEmpty(plan)) {
      if (this.#lastPublishedAtMs === undefined) this.#published(offer, plan.generation);
      return;
    }
    // Slices whose owner is a Node of the past would be collected again at once.
    this.#nodeUid = await this.#readNodeUid(signal);
    do {
      offer = this.#offer(); // less with each round, while the server refuses devices
      plan = this.#plan(offer, this.#nodeUid);
    } while (!(await this.#write(plan, signal)));
    this.#published(offer, plan.generation);
  }

  #offer(): Offer {
    const { devices, problems } = offerDevices(this.#desired ?? [], this.#options.driver);
    return { devices: devices.filter((device) => !this.#writer.refused(device)), problems };
  }

  #plan(offer: Offer, nodeUid: string): SliceWrites {
    const { driver, nodeName } = this.#options;
    const pool: PoolIdentity = { driver, nodeName, nodeUid };
    return diffSlices(pool, desiredSlices(pool, offer.devices), this.#mirror.slices, {
      lastGeneration: this.#mirror.highestGeneration,
      accepts: (wanted, existing) => this.#writer.accepts(wanted, existing),
    });
  }

  async #readNodeUid(signal: AbortSignal): Promise<string> {
    const { client, nodeName } = this.#options;
    return (await client.get<Node>(`/api/v1/nodes/${nodeName}`, { signal })).metadata?.uid ?? "";
  }

  async #write(plan: SliceWrites, signal: AbortSignal): Promise<boolean> {
    const { client } = this.#options;
    try {
      if (!(await this.#writer.write(plan, signal))) return false;
    } catch (error) {
      if (error instanceof ConflictError || isNotFound(error)) {
        this.#log.debug("resource slices are read anew", { reason: describeError(error) });
        this.#mirror.replace((await client.list<ResourceSlice>(SLICES_PATH, { signal, query: this.#query })).items);
      }
      throw error;
    }
    this.#log.info("resource slices published", {
      generation: plan.generation,
      created: plan.creates.length,
      updated: plan.updates.length,
      deleted: plan.deletes.length,
    });
    return true;
  }

  #published({ devices }: Offer, generation: number): void {
    const atMs = this.#options.clock.nowMs();
    this.#lastPublishedAtMs = atMs;
    const slices = this.#mirror.slices.length;
    const counts = { total: devices.length, rdma: devices.filter(hasRdma).length };
    this.#options.onPublished?.({ ...counts, slices, generation }, atMs);
  }

  /** Each problem once, until it is gone. */
  #tell({ problems }: Offer): void {
    for (const { problem, device, attribute } of problems)
      if (!this.#told.has(problem))
        this.#log.warn("a device cannot be published as it is", { device, attribute, problem });
    this.#told = new Set(problems.map(({ problem }) => problem));
  }
}

function isEmpty({ deletes, updates, creates }: SliceWrites): boolean {
  return deletes.length + updates.length + creates.length === 0;
}

function hasRdma({ attributes = {} }: SliceDevice): boolean {
  return Object.entries(attributes).some(([name, value]) => name.endsWith("/rdma") && value.bool === true);
}
