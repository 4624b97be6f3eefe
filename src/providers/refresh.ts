/** When a cloud's metadata are read again: after a device came that they do not know, a few times for each. */

import type { Clock } from "../lib/clock.ts";
import type { DeviceView } from "./cloud.ts";
import { Rest } from "./rest.ts";

const LEAST_INTERVAL_MS = 30_000;
/** The metadata of an interface may come after the interface; those of a foreign one never come. */
const READS_PER_DEVICE = 3;

export class Refresh {
  readonly #rest: Rest;
  readonly #reads = new Map<string, number>();
  /** Devices that have been missed since the last read. */
  readonly #missed = new Set<string>();

  constructor(clock: Clock) {
    this.#rest = new Rest(clock);
  }

  /** A link that exists only in this kernel is in no metadata. */
  missing({ mac, isVirtual }: DeviceView): void {
    if (mac === undefined || isVirtual || (this.#reads.get(mac) ?? 0) >= READS_PER_DEVICE) return;
    this.#missed.add(mac);
    this.#rest.wake();
  }

  /** Resolves when it is time to read again. */
  async due(signal: AbortSignal): Promise<void> {
    await this.#rest.atLeast(LEAST_INTERVAL_MS, signal);
    await this.#rest.untilWoken(signal);
    for (const mac of this.#missed) this.#reads.set(mac, (this.#reads.get(mac) ?? 0) + 1);
    this.#missed.clear();
  }
}
