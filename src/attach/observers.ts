import type { ClaimDevice } from "../claims/record.ts";
import type { Logger } from "../lib/log.ts";
import type { AttachObserver } from "./parts.ts";

/** Tells several; one that throws harms neither the others nor the attach that it hears of. */
export class Observers implements Required<AttachObserver> {
  readonly #observers: AttachObserver[] = [];
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  add(observer: AttachObserver): void {
    this.#observers.push(observer);
  }

  attached(record: ClaimDevice): void {
    this.#tell((observer) => observer.attached?.(record));
  }

  attachFailed(record: ClaimDevice, error: Error): void {
    this.#tell((observer) => observer.attachFailed?.(record, error));
  }

  receiptFailed(record: ClaimDevice, error: Error): void {
    this.#tell((observer) => observer.receiptFailed?.(record, error));
  }

  addressesChanged(record: ClaimDevice): void {
    this.#tell((observer) => observer.addressesChanged?.(record));
  }

  cpusDecided(record: ClaimDevice): void {
    this.#tell((observer) => observer.cpusDecided?.(record));
  }

  cameHome(record: ClaimDevice, problems: readonly string[]): void {
    this.#tell((observer) => observer.cameHome?.(record, problems));
  }

  returnFailed(record: ClaimDevice, error: Error): void {
    this.#tell((observer) => observer.returnFailed?.(record, error));
  }

  lost(record: ClaimDevice, reason: string): void {
    this.#tell((observer) => observer.lost?.(record, reason));
  }

  #tell(say: (observer: AttachObserver) => void): void {
    for (const observer of this.#observers) {
      try {
        say(observer);
      } catch (error) {
        this.#log.error("an observer of attaches failed", { error });
      }
    }
  }
}
