/**
 * Profiles of claims: asked for at Prepare, given back after Unprepare, until it is done. That something is to be asked
 * for or given back is on disk first, so that a dead agent leaks nothing; the webhook takes each question twice.
 */

import type { ProfileRecord, ProfileRecords } from "../claims/profile-records.ts";
import { type DeviceKey, keyText } from "../claims/record.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { Clock } from "../lib/clock.ts";
import { asError, ClaimError } from "../lib/errors.ts";
import { KeyedMutex } from "../lib/keyed-mutex.ts";
import type { Logger } from "../lib/log.ts";
import { backoffDelayMs } from "../lib/retry.ts";
import { Rest } from "./rest.ts";
import type { ProfileKey, Webhook } from "./webhook.ts";
import { WebhookRefusal } from "./webhook-refusal.ts";

/** Releases at the same time. */
const AT_ONCE = 4;
const BACKOFF = { firstMs: 1_000, limitMs: 300_000, jitter: 0.2 };

export type ProfileSource = Pick<Webhook, "profileConfig" | "releaseProfile">;

export interface ProfilesParts {
  readonly records: ProfileRecords;
  /** Who has the profiles. Rejects with a ClaimError when nobody does, or it is not known yet. */
  readonly source: (signal: AbortSignal) => Promise<ProfileSource>;
  readonly onReleaseFailed: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Profiles {
  readonly #parts: ProfilesParts;
  readonly #rest: Rest;
  /** What is asked for must not be given back at the same time. */
  readonly #perDevice = new KeyedMutex();
  readonly #failures = new Map<string, { readonly count: number; readonly notBeforeMs: number }>();

  constructor(parts: ProfilesParts) {
    this.#parts = parts;
    this.#rest = new Rest(parts.clock);
    parts.records.onReleased = () => this.#rest.wake();
  }

  /** The profile's configuration. `claim` is what the webhook is told about the claim. Rejects with a ClaimError. */
  get(key: DeviceKey, held: ProfileKey, claim: object, signal: AbortSignal): Promise<NetworkConfig> {
    return this.#perDevice.run(keyText(key), () => this.#get(key, held, claim, signal));
  }

  async #get(key: DeviceKey, held: ProfileKey, claim: object, signal: AbortSignal): Promise<NetworkConfig> {
    const { records } = this.#parts;
    const source = await this.#parts.source(signal);
    const text = JSON.stringify(held);
    const known = records.get(key);
    if (known !== undefined && known.held !== text) await this.#giveBackFirst(known, signal);
    if (known?.held !== text || known.released) records.put({ ...key, held: text, released: false });
    try {
      return await source.profileConfig(held, claim, signal);
    } catch (error) {
      // It gave nothing, so there is nothing to give back.
      if (error instanceof WebhookRefusal && error.isFinal && known === undefined) records.remove(key);
      throw error;
    }
  }

  /** The same device of the same claim under another configuration or name: two leases of one claim would be one leaked. */
  async #giveBackFirst(known: ProfileRecord, signal: AbortSignal): Promise<void> {
    try {
      await this.#release(known, signal);
    } catch (cause) {
      throw new ClaimError(
        `device ${known.device} holds a profile of the same claim under another configuration, which could not be released`,
        { cause },
      );
    }
  }

  /** Gives back what is to be given back, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const due = this.#due();
        await Promise.all(due.slice(0, AT_ONCE).map((record) => this.#tryRelease(record, signal)));
        if (due.length <= AT_ONCE) await this.#rest.untilWoken(signal, this.#untilNextMs());
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #due(): readonly ProfileRecord[] {
    const now = this.#parts.clock.nowMs();
    return this.#parts.records.released.filter(
      (record) => (this.#failures.get(keyText(record))?.notBeforeMs ?? now) <= now,
    );
  }

  #untilNextMs(): number {
    const times = this.#parts.records.released.map((record) => this.#failures.get(keyText(record))?.notBeforeMs ?? 0);
    return Math.max(0, Math.min(...times) - this.#parts.clock.nowMs());
  }

  async #tryRelease(due: ProfileRecord, signal: AbortSignal): Promise<void> {
    const { clock, log, onReleaseFailed, records } = this.#parts;
    const id = keyText(due);
    const fields = { claimUid: due.claimUid, device: due.device };
    try {
      await this.#perDevice.run(id, async () => {
        const record = records.get(due);
        if (record?.released === true) await this.#release(record, signal);
      });
      if (this.#failures.delete(id)) log.info("profile released after all", fields);
    } catch (error) {
      signal.throwIfAborted();
      const count = this.#failures.get(id)?.count ?? 0;
      this.#failures.set(id, { count: count + 1, notBeforeMs: clock.nowMs() + backoffDelayMs(BACKOFF, count) });
      onReleaseFailed();
      if (count === 0)
        log.warn("profile not released yet; it is tried until it is", { ...fields, error: asError(error) });
    }
  }

  async #release(record: ProfileRecord, signal: AbortSignal): Promise<void> {
    const source = await this.#parts.source(signal);
    await source.releaseProfile(JSON.parse(record.held) as ProfileKey, signal);
    this.#parts.records.remove(record);
  }
}
