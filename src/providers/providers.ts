/** The provider that runs on this host: decided once, read in the background, asked by scans and by Prepare. */

import type { ProfileRecords } from "../claims/profile-records.ts";
import type { DeviceKey } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import type { Config } from "../config/flags.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { CloudName } from "../config/providers.ts";
import type { Device } from "../inventory/device.ts";
import type { InventoryFacts } from "../inventory/facts.ts";
import type { Clock } from "../lib/clock.ts";
import { asError, ClaimError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { retryUntilDone } from "../lib/retry.ts";
import { type ChildNetwork, sourceRouting, wantsChildNetwork } from "./child-network.ts";
import { type Cloud, type DeviceView, type HostLookup, viewsWith } from "./cloud.ts";
import { enriched } from "./enrich.ts";
import { probeClouds } from "./probe.ts";
import { Profiles } from "./profiles.ts";
import { RangeAddresses } from "./range-addresses.ts";
import type { CloudSource } from "./read-cloud.ts";
import { Refresh } from "./refresh.ts";
import { Rest } from "./rest.ts";
import type { Capabilities, ProfileKey, Webhook } from "./webhook.ts";
import type { WebhookCloud } from "./webhook-cloud.ts";

const READ_BACKOFF = { firstMs: 1_000, limitMs: 300_000, jitter: 0.2 };
/** Before each round of questions: a host's own network may be late at its start. */
const PROBE_DELAYS_MS = [0, 10_000, 60_000];
/** Clouds whose devices need a configuration: without it a pod would have a device that does not work. */
const CONFIGURING: readonly CloudName[] = ["AZURE", "webhook"];

export interface ProvidersParts extends CloudSource {
  readonly config: Pick<Config, "cloudProviderHint" | "cloudProviderOptions" | "profileProvider" | "webhookUrl">;
  readonly records: ProfileRecords;
  /** Whose links have which addresses. */
  readonly claims: Pick<ClaimStore, "records" | "get">;
  /** Devices have other attributes now. */
  readonly onChange: () => void;
  readonly onReleaseFailed: () => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly probeLimitMs?: number;
}

export class Providers {
  readonly #parts: ProvidersParts;
  readonly #profiles: Profiles;
  readonly #refresh: Refresh;
  readonly #addresses: RangeAddresses;
  /** The cloud by the hint or by the first round of questions. */
  readonly #decided = Promise.withResolvers<CloudName | undefined>();
  #name: CloudName | undefined;
  #cloud: Cloud | undefined;
  #webhook: Promise<Webhook> | undefined;
  #capabilities: Capabilities | undefined;
  #webhookCloud: WebhookCloud | undefined;
  #lastFailure: Error | undefined;

  constructor(parts: ProvidersParts) {
    this.#parts = parts;
    this.#refresh = new Refresh(parts.clock);
    this.#addresses = new RangeAddresses(parts.claims, parts.clock);
    const { cloudProviderHint: hint } = parts.config;
    if (hint === "NONE") this.#decided.resolve(undefined);
    else if (hint !== "") this.#name = hint;
    this.#profiles = new Profiles({ ...parts, source: (signal) => this.#profileSource(signal) });
  }

  /** The devices with what the cloud says of them, as far as it is known now. */
  enrich(devices: readonly Device[], facts: Pick<InventoryFacts, "pci">): readonly Device[] {
    const cloud = this.#cloud;
    if (cloud === undefined) return devices;
    const viewOf = viewsWith(facts);
    const found = devices.map((device) => {
      const view = viewOf(device);
      if (cloud.lacks?.(view) === true) this.#refresh.missing(view);
      return enriched(device, cloud.attributes(view));
    });
    this.#webhookCloud?.endOfScan();
    return found;
  }

  /** What the device needs in a pod too, or `undefined`. Rejects with a ClaimError while that is not known. */
  async deviceConfig(device: DeviceView, host: HostLookup): Promise<NetworkConfig | undefined> {
    const name = this.#name ?? (await this.#decided.promise);
    if (name === undefined || !CONFIGURING.includes(name)) return undefined;
    if (this.#cloud === undefined)
      throw new ClaimError(
        `device ${device.name} needs a configuration of ${name}, whose metadata could not be read yet; the kubelet tries again`,
        { cause: this.#lastFailure },
      );
    return await this.#cloud.config?.(device, host);
  }

  /**
   * What a link that stands on the device gets of its cloud under this configuration. Rejects with a ClaimError while
   * that is not known, and when there is no address for it.
   */
  async childConfig(key: DeviceKey, device: DeviceView, config: NetworkConfig): Promise<NetworkConfig> {
    if (!wantsChildNetwork(config)) return {};
    const network = await this.#childNetwork(device);
    if (network === undefined) return {};
    const { addresses = [] } = config.interface ?? {};
    const taken = addresses.length > 0 ? [] : this.#addresses.take(key, network.ranges);
    if (addresses.length === 0 && taken.length === 0)
      throw new ClaimError(
        `${this.#name} has no range of addresses for links on device ${device.name}: give its interface an alias range, or the claim interface.addresses or addressing Unnumbered`,
      );
    return {
      ...(taken.length === 0 ? {} : { interface: { addresses: taken } }),
      ...sourceRouting(network, [...addresses, ...taken], config),
    };
  }

  async #childNetwork(device: DeviceView): Promise<ChildNetwork | undefined> {
    const name = this.#name ?? (await this.#decided.promise);
    if (name === "GCE" && this.#cloud === undefined)
      throw new ClaimError(
        `device ${device.name} needs to know of ${name} which addresses links on it have, and its metadata could not be read yet; the kubelet tries again`,
        { cause: this.#lastFailure },
      );
    return this.#cloud?.children?.(device);
  }

  get profiles(): Pick<Profiles, "get"> {
    return this.#profiles;
  }

  /**
   * Rejects with a ClaimError where the profile is not complete without a program that the container runtime runs: the
   * pod would start without what that does. `key` has the device's whole configuration.
   */
  async checkRuntimeHook(key: ProfileKey, claim: object, signal: AbortSignal): Promise<void> {
    if (!(await this.#askCapabilities(signal)).runtimeHook) return;
    const path = await (await this.#openWebhook()).runtimeHook(key, claim, signal);
    if (path !== undefined)
      throw new ClaimError(
        `the webhook at ${this.#parts.config.webhookUrl} wants ${path} to run when a container of the pod is created, and netferry adds no programs to containers: have its /GetRuntimeHook answer null for this profile`,
      );
  }

  /** Decides, reads and releases, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all([this.#profiles.run(signal), this.#runCloud(signal)]);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#decided.resolve(this.#name);
    }
  }

  async #runCloud(signal: AbortSignal): Promise<void> {
    const { clock, log, onChange } = this.#parts;
    const name = await this.#decide(signal);
    if (name === undefined) return await new Rest(clock).untilAborted(signal);
    if (name === "webhook") return await this.#runWebhook(signal);
    while (!signal.aborted) {
      this.#cloud = await retryUntilDone(() => this.#read(name, signal), {
        backoff: READ_BACKOFF,
        clock,
        signal,
        onFailure: (error) => {
          if (this.#lastFailure === undefined)
            log.warn("the cloud's metadata could not be read; they are asked for again", {
              cloud: name,
              error: asError(error),
            });
          this.#lastFailure = asError(error);
        },
      });
      this.#lastFailure = undefined;
      log.info("the cloud's metadata are read", { cloud: name });
      onChange();
      await this.#refresh.due(signal);
    }
  }

  async #decide(signal: AbortSignal): Promise<CloudName | undefined> {
    const { config, clock, log } = this.#parts;
    if (config.cloudProviderHint !== "") return this.#name;
    for (const delayMs of PROBE_DELAYS_MS) {
      if (delayMs > 0) await clock.sleep(delayMs, signal);
      this.#name = await this.#probe(signal);
      this.#decided.resolve(this.#name);
      if (this.#name !== undefined) break;
    }
    log.info("looked for a cloud's metadata service", { cloud: this.#name ?? "none" });
    return this.#name;
  }

  #probe(signal: AbortSignal): Promise<CloudName | undefined> {
    const { config, nodeLabels, probeLimitMs } = this.#parts;
    return probeClouds(
      {
        options: config.cloudProviderOptions,
        others: {
          ...(nodeLabels === undefined
            ? {}
            : { CKS: async (limit) => (await nodeLabels(limit))["cks.coreweave.com/cluster"] !== undefined }),
          ...(config.webhookUrl === ""
            ? {}
            : { webhook: async (limit) => (await this.#askCapabilities(limit)).cloudProvider }),
        },
        ...(probeLimitMs === undefined ? {} : { limitMs: probeLimitMs }),
      },
      signal,
    );
  }

  async #read(name: Exclude<CloudName, "webhook">, signal: AbortSignal): Promise<Cloud> {
    const { readCloud } = await import("./read-cloud.ts");
    return await readCloud(name, this.#parts, signal);
  }

  async #runWebhook(signal: AbortSignal): Promise<void> {
    const { WebhookCloud } = await import("./webhook-cloud.ts");
    const { clock, log, onChange } = this.#parts;
    const webhook = await this.#openWebhook();
    const capabilities = (limit: AbortSignal) => this.#askCapabilities(limit);
    this.#webhookCloud = new WebhookCloud({ webhook, capabilities, onChange, clock, log });
    this.#cloud = this.#webhookCloud;
    onChange();
    await this.#webhookCloud.run(signal);
  }

  async #profileSource(signal: AbortSignal): Promise<Webhook> {
    const { profileProvider, webhookUrl } = this.#parts.config;
    const cloud = profileProvider === "cloud" ? (this.#name ?? (await this.#decided.promise)) : undefined;
    if (webhookUrl === "" || (profileProvider !== "webhook" && cloud !== "webhook"))
      throw new ClaimError(
        `nobody here knows profiles: run netferry with --profile-provider=webhook and --webhook-url, or leave the field profile out${cloud === undefined ? "" : ` (${cloud} has none)`}`,
      );
    if (!(await this.#askCapabilities(signal)).profileProvider)
      throw new ClaimError(`the webhook at ${webhookUrl} says in its /health that it is no profile provider`);
    return await this.#openWebhook();
  }

  /** Asked until it answers, and then never again. */
  async #askCapabilities(signal: AbortSignal): Promise<Capabilities> {
    this.#capabilities ??= await (await this.#openWebhook()).health(signal);
    return this.#capabilities;
  }

  #openWebhook(): Promise<Webhook> {
    this.#webhook ??= import("./open-webhook.ts").then(({ openWebhook }) => openWebhook(this.#parts.config));
    return this.#webhook;
  }
}
