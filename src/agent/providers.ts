/**
 * The seat of clouds and webhooks in the agent. They are loaded when there is something to ask, after the agent has
 * started: a host without any neither waits for them nor has them in memory.
 */

import type { ClaimStore } from "../claims/store.ts";
import type { Config } from "../config/flags.ts";
import type { Device } from "../inventory/device.ts";
import type { InventoryFacts } from "../inventory/facts.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Providers } from "../providers/providers.ts";

export interface ProviderSeatParts {
  readonly config: Config;
  readonly store: Pick<ClaimStore, "profiles" | "records" | "get">;
  readonly metrics: Pick<Metrics, "profileReleaseFailed">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onChange: () => void;
}

export class ProviderSeat {
  readonly #parts: ProviderSeatParts;
  #loading: Promise<Providers> | undefined;
  #loaded: Providers | undefined;
  /** Of this Node, told by the mode that knows it. */
  nodeLabels: ((signal: AbortSignal) => Promise<Readonly<Record<string, string>>>) | undefined;

  constructor(parts: ProviderSeatParts) {
    this.#parts = parts;
  }

  /** A node without a cluster has no use for a cloud that nobody named. */
  get #hint(): Config["cloudProviderHint"] {
    const { cloudProviderHint: hint, standalone } = this.#parts.config;
    return hint === "" && standalone ? "NONE" : hint;
  }

  get isNeeded(): boolean {
    const { config, store } = this.#parts;
    return this.#hint !== "NONE" || config.webhookUrl !== "" || store.profiles.released.length > 0;
  }

  enrich(devices: readonly Device[], facts: InventoryFacts): readonly Device[] {
    return this.#loaded?.enrich(devices, facts) ?? devices;
  }

  /** For a claim: also where nothing else needs them, to say so. */
  get(): Promise<Providers> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.isNeeded) return await (await this.get()).run(signal);
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  async #load(): Promise<Providers> {
    const { Providers } = await import("../providers/providers.ts");
    const { config, store, metrics, ...common } = this.#parts;
    this.#loaded = new Providers({
      ...common,
      config: { ...config, cloudProviderHint: this.#hint },
      records: store.profiles,
      claims: store,
      nodeLabels: this.nodeLabels,
      onReleaseFailed: () => metrics.profileReleaseFailed(),
    });
    return this.#loaded;
  }
}
