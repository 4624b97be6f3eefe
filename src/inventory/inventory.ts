/** The devices that this node offers now, kept up to date. */

import type { Clock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Device } from "./device.ts";
import { devicesOf, type InventoryOptions } from "./devices-of.ts";
import type { InventoryFacts } from "./facts.ts";
import { mergeHeld } from "./merge-held.ts";
import { ScanBudget } from "./scan-budget.ts";
import { type Sharing, withShares } from "./shares.ts";

export interface InventoryParts {
  /** Reads the host. */
  readonly scan: (signal: AbortSignal) => Promise<InventoryFacts>;
  readonly options: InventoryOptions;
  /** Adds what is known of devices from elsewhere. Not asked about held devices. */
  readonly enrich?: (devices: readonly Device[], facts: InventoryFacts) => readonly Device[];
  /** The user's filter: true keeps the device. Not asked about held devices. */
  readonly filter: (device: Device) => boolean;
  readonly sharing: Sharing;
  /** Snapshots of the devices that claims hold; of a shared one several. */
  readonly held: () => readonly Device[];
  /** Names that links have on their way into a pod and home again: nothing of these names is offered. */
  readonly travelling: () => readonly string[];
  readonly minPollIntervalMs: number;
  readonly maxPollIntervalMs: number;
  /** Scans that may follow each other at once before the minimum interval counts. */
  readonly pollBurst: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Inventory {
  readonly #parts: InventoryParts;
  readonly #budget: ScanBudget;
  readonly #told = new Set<string>();
  #devices: readonly Device[] = [];
  #published: string | undefined;
  #version = 0;
  #lastScanMs: number | undefined;
  #started = 0;
  #finished = 0;
  #isRequested = true;
  #wake: () => void = () => undefined;
  #progress = Promise.withResolvers<void>();

  constructor(parts: InventoryParts) {
    this.#parts = parts;
    this.#budget = new ScanBudget({
      intervalMs: parts.minPollIntervalMs,
      burst: parts.pollBurst,
      clock: parts.clock,
    });
  }

  /** Sorted by name. Empty before the first scan. */
  get devices(): readonly Device[] {
    return this.#devices;
  }

  /** When the last successful scan ended, by the clock; `undefined` before the first. */
  get lastScanMs(): number | undefined {
    return this.#lastScanMs;
  }

  /** Asks `run` for a scan soon: a link changed, a device came home. Many requests make one scan. */
  requestScan(): void {
    this.#isRequested = true;
    this.#wake();
  }

  /** The devices by a scan that began after this call. Rejects with the signal's reason. */
  async rescan(signal: AbortSignal): Promise<readonly Device[]> {
    const wanted = this.#started + 1;
    this.requestScan();
    while (this.#finished < wanted) await this.#progressed(signal);
    return this.#devices;
  }

  /** Scans at start, when asked to and at the maximum interval, until `signal` aborts. A scan that fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#waitForReason(signal);
        await this.#budget.take(signal);
        await this.#scanOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#parts.log.warn("host scan failed; the devices are those of the last one", { error: asError(error) });
        this.#isRequested = true;
      }
    }
  }

  /**
   * The list after the first scan, and again after each one that changed what is published. A reader that is slow
   * gets the newest list and not those between. Ends when `signal` aborts.
   */
  async *changes(signal: AbortSignal): AsyncGenerator<readonly Device[], void, undefined> {
    for (let seen = 0; !signal.aborted; ) {
      if (this.#version !== seen) {
        seen = this.#version;
        yield this.#devices;
        continue;
      }
      try {
        await this.#progressed(signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
    }
  }

  async #scanOnce(signal: AbortSignal): Promise<void> {
    const { scan, options, enrich = same, filter, sharing, held, travelling, clock, log } = this.#parts;
    this.#isRequested = false;
    const scanNumber = ++this.#started;
    const heldBefore = held();
    const travelled = travelling();
    const facts = await scan(signal);
    this.#tellUnseen(facts.unseen ?? []);
    // A device that went home while we read may be missing in the facts: it is published from its snapshot once more.
    const heldNow = held();
    const names = new Set(heldNow.map((device) => device.name));
    const released = heldBefore.filter((device) => !names.has(device.name));
    if (released.length > 0) this.#isRequested = true;

    const onTheirWay = new Set([...travelled, ...travelling()]);
    const settled = devicesOf(facts, options).filter(({ identity }) => !onTheirWay.has(identity.ifname ?? ""));
    const scanned = enrich(settled, facts).filter(filter);
    this.#devices = mergeHeld(
      scanned.map((device) => withShares(device, sharing)),
      [...heldNow, ...released],
    );
    this.#lastScanMs = clock.nowMs();
    const published = JSON.stringify(this.#devices.map(({ name, attributes, shares }) => [name, attributes, shares]));
    if (published !== this.#published) {
      this.#published = published;
      this.#version += 1;
      log.info("devices changed", { devices: this.#devices.length });
    }
    this.#finished = scanNumber;
    const { resolve } = this.#progress;
    this.#progress = Promise.withResolvers();
    resolve();
  }

  /** Once for each sentence: a kernel does not change while we run. */
  #tellUnseen(sentences: readonly string[]): void {
    for (const sentence of sentences) {
      if (this.#told.has(sentence)) continue;
      this.#told.add(sentence);
      this.#parts.log.info("a part of what devices are stays unknown", { reason: sentence });
    }
  }

  /** Returns at a request, one that was made before included, or after the maximum interval. */
  async #waitForReason(signal: AbortSignal): Promise<void> {
    if (this.#isRequested) return;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    const stop = () => woken.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      await this.#parts.clock.sleep(this.#parts.maxPollIntervalMs, woken.signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!woken.signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#wake = () => undefined;
    }
  }

  /** Resolves when the scan that is next to end has ended well. */
  async #progressed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const stop = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      await Promise.race([this.#progress.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}

function same(devices: readonly Device[]): readonly Device[] {
  return devices;
}
