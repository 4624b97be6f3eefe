/** The webhook as the cloud: each device is asked about once, and remembered for as long as it is there. */

import type { NetworkConfig } from "../config/network-config.ts";
import type { Clock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { backoffDelayMs } from "../lib/retry.ts";
import type { Cloud, CloudAttributes, DeviceView, HostLookup } from "./cloud.ts";
import { Rest } from "./rest.ts";
import { type Capabilities, type DeviceIds, deviceIds, type Webhook } from "./webhook.ts";

/** Questions at the same time. */
const AT_ONCE = 4;
const BACKOFF = { firstMs: 1_000, limitMs: 60_000, jitter: 0.2 };

export interface WebhookCloudParts {
  readonly webhook: Pick<Webhook, "deviceAttributes" | "deviceConfig">;
  /** Known once the webhook has answered; rejects with a ClaimError while it does not. */
  readonly capabilities: (signal: AbortSignal) => Promise<Capabilities>;
  /** Devices have other attributes now. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export class WebhookCloud implements Cloud {
  readonly #parts: WebhookCloudParts;
  readonly #rest: Rest;
  /** By what the webhook knows a device by; `undefined`: it is still to be asked. */
  readonly #known = new Map<string, CloudAttributes | undefined>();
  #present = new Set<string>();

  constructor(parts: WebhookCloudParts) {
    this.#parts = parts;
    this.#rest = new Rest(parts.clock);
  }

  attributes(device: DeviceView): CloudAttributes {
    const key = JSON.stringify(deviceIds(device));
    this.#present.add(key);
    if (!this.#known.has(key)) {
      this.#known.set(key, undefined);
      this.#rest.wake();
    }
    return this.#known.get(key) ?? {};
  }

  /** All devices have been looked at: the others are gone. */
  endOfScan(): void {
    for (const key of this.#known.keys()) if (!this.#present.has(key)) this.#known.delete(key);
    this.#present = new Set();
  }

  /** Asked anew for each claim: it may depend on what the webhook learnt since. */
  async config(device: DeviceView, { signal }: HostLookup): Promise<NetworkConfig | undefined> {
    const { cloudProvider } = await this.#parts.capabilities(signal);
    return cloudProvider ? await this.#parts.webhook.deviceConfig(deviceIds(device), signal) : undefined;
  }

  /** Asks what is to be asked, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, capabilities } = this.#parts;
    for (let attempt = 0; !signal.aborted; ) {
      try {
        if (!(await capabilities(signal)).cloudProvider) {
          log.error("the webhook's /health says that it is no cloud provider: devices go without its attributes");
          return await this.#rest.untilAborted(signal);
        }
        await this.#askAll(signal);
        if (attempt > 0) log.info("the webhook answers again");
        attempt = 0;
        await this.#rest.untilWoken(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (attempt === 0)
          log.warn("attributes of devices are not known yet; the webhook is asked again", { error: asError(error) });
        await this.#rest.atLeast(backoffDelayMs(BACKOFF, attempt++), signal);
      }
    }
  }

  /** Each device once, though another one fails. */
  async #askAll(signal: AbortSignal): Promise<void> {
    const failures: unknown[] = [];
    const open = this.#open();
    while (open.length > 0) {
      const answers = await Promise.allSettled(open.splice(0, AT_ONCE).map((key) => this.#ask(key, signal)));
      failures.push(...answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : [])));
      this.#parts.onChange();
    }
    if (failures.length > 0) throw failures[0];
  }

  #open(): string[] {
    return [...this.#known].flatMap(([key, attributes]) => (attributes === undefined ? [key] : []));
  }

  async #ask(key: string, signal: AbortSignal): Promise<void> {
    const attributes = await this.#parts.webhook.deviceAttributes(JSON.parse(key) as DeviceIds, signal);
    if (this.#known.has(key)) this.#known.set(key, attributes);
  }
}
