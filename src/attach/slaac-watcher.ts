/** Looks for addresses by router advertisement that came after the attach had stopped waiting for them. */

import { type AwayDevice, type ClaimDevice, keyText } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import type { Kernel } from "../kernel/calls.ts";
import { Deadline } from "../lib/deadline.ts";
import type { Logger } from "../lib/log.ts";
import { Wakeup } from "../lib/wakeup.ts";
import type { Ferry } from "./ferry.ts";
import type { HeldNamespaces } from "./held-namespaces.ts";
import { type AttachObserver, logFields } from "./parts.ts";
import { slaacState } from "./slaac.ts";

export interface SlaacWatcherParts {
  /** The scanning Worker. */
  readonly kernel: Pick<Kernel, "listAddresses">;
  readonly ferry: Pick<Ferry, "whilePodRests">;
  readonly store: ClaimStore;
  readonly held: HeldNamespaces;
  readonly log: Logger;
  readonly observer: AttachObserver;
}

/** Routers advertise every few seconds to half an hour, and the kernel asks them for one a few times. */
const LOOK_AGAIN_MS = 1_000;
/** While none is missing: an attach may have been told to nobody. */
const IDLE_MS = 60_000;

export class SlaacWatcher implements AttachObserver {
  readonly #parts: SlaacWatcherParts;
  readonly #wakeup = new Wakeup();
  /** By the record's `keyText`: told once, until it goes well again. */
  readonly #failing = new Set<string>();

  constructor(parts: SlaacWatcherParts) {
    this.#parts = parts;
  }

  attached(record: ClaimDevice): void {
    if (isWaiting(record)) this.#wakeup.call();
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, log } = this.#parts;
    while (!signal.aborted) {
      const waiting = store.records.filter(isWaiting);
      const keys = new Set(waiting.map(keyText));
      for (const key of this.#failing) if (!keys.has(key)) this.#failing.delete(key);
      for (const record of waiting) {
        try {
          await this.#look(record);
          this.#failing.delete(keyText(record));
        } catch (error) {
          if (!this.#failing.has(keyText(record)))
            log.warn("a link's addresses cannot be read in its pod; it is tried again", {
              ...logFields(record),
              error,
            });
          this.#failing.add(keyText(record));
        }
      }
      using pause = new Deadline(signal, waiting.length > 0 ? LOOK_AGAIN_MS : IDLE_MS);
      await this.#wakeup.wait(pause.signal);
    }
  }

  async #look(known: ClaimDevice): Promise<void> {
    const { ferry, store, held, kernel, log, observer } = this.#parts;
    await ferry.whilePodRests(known.podUid, async () => {
      const record = store.get(known);
      if (record === undefined || !isWaiting(record)) return;
      const { sandboxId, ifindex } = record.attachment;
      // Held since the attach, or since reconciliation after a restart.
      const netns = held.get(sandboxId);
      if (netns === undefined || ifindex === undefined) return;
      const slaac = slaacState(await kernel.listAddresses({ netns: { fd: netns.fd }, ifindex }), 0);
      if (slaac.addresses.length === 0) return;
      const found: ClaimDevice = { ...record, attachment: { ...record.attachment, slaac } };
      store.put([found]);
      log.info("the link has its addresses by router advertisement", {
        ...logFields(record),
        ifname: record.plan.ifname,
        addresses: slaac.addresses,
      });
      observer.addressesChanged?.(found);
    });
  }
}

function isWaiting(record: ClaimDevice): record is AwayDevice {
  return record.state === "attached" && record.attachment?.slaac?.addresses.length === 0;
}
