/**
 * The webhook's API, as DRANET's webhook providers speak it (kubernetes-sigs/dranet,
 * site/content/docs/contributing/webhook-providers.md): JSON by POST, 200 or refused.
 */

import { z } from "zod";
import { configError, type NetworkConfig, readNetworkConfig } from "../config/network-config.ts";
import { ClaimError } from "../lib/errors.ts";
import type { CloudAttributes, DeviceView } from "./cloud.ts";
import { type Answer, type Endpoint, ExchangeError, exchange, nameQuestion } from "./exchange.ts";
import { parseWith } from "./parse-with.ts";
import { WebhookRefusal } from "./webhook-refusal.ts";

const REQUEST_LIMIT_MS = 10_000;
const HEALTH_LIMIT_MS = 5_000;
/** A configuration with a thousand routes has a tenth of it. */
const MAX_BYTES = 1 << 20;
/** Of a refusal's text, what has room in an event. */
const MAX_REASON_LENGTH = 200;

export interface Capabilities {
  readonly cloudProvider: boolean;
  readonly profileProvider: boolean;
  /** Of a profile provider: it may want a program of the node's to run with the pod's first container. */
  readonly runtimeHook: boolean;
}

/** How a webhook knows a device. */
export interface DeviceIds {
  readonly mac_address?: string;
  readonly pci_address?: string;
  readonly name: string;
}

/** What a profile is released by; the same at GetProfileConfig, where the webhook is told of the claim too. */
export interface ProfileKey {
  readonly device: DeviceIds;
  readonly claim_uid: string;
  readonly config: NetworkConfig;
}

const capabilitiesSchema = z.object({
  cloudProvider: z.boolean().default(false),
  profileProvider: z.boolean().default(false),
  runtimeHook: z.boolean().default(false),
});
const hookSchema = z.object({ path: z.string() }).nullable();
const attributeSchema = z.union([
  z.strictObject({ string: z.string() }),
  z.strictObject({ int: z.number().int() }),
  z.strictObject({ bool: z.boolean() }),
  z.strictObject({ version: z.string() }),
]);
/** Nothing, as a device without attributes may be answered. */
const attributesSchema = z.record(z.string(), attributeSchema).nullable();

export function deviceIds({ name, mac, pciAddress }: DeviceView): DeviceIds {
  return {
    ...(mac === undefined ? {} : { mac_address: mac }),
    ...(pciAddress === undefined ? {} : { pci_address: pciAddress }),
    name,
  };
}

/** Every method rejects with a ClaimError that says whom it asked what, for which device, and what to do. */
export class Webhook {
  readonly #endpoint: Endpoint;
  readonly #limits: { readonly requestMs: number; readonly healthMs: number };

  constructor(endpoint: Endpoint, limits = { requestMs: REQUEST_LIMIT_MS, healthMs: HEALTH_LIMIT_MS }) {
    this.#endpoint = endpoint;
    this.#limits = limits;
  }

  async health(signal: AbortSignal): Promise<Capabilities> {
    const question = { method: "GET", path: "/health" } as const;
    const answer = await this.#ask(question, this.#limits.healthMs, "the webhook", signal);
    return this.#read(question, answer, "the webhook", parseWith(capabilitiesSchema));
  }

  async deviceAttributes(device: DeviceIds, signal: AbortSignal): Promise<CloudAttributes> {
    return await this.#post(
      "/GetDeviceAttributes",
      device,
      device,
      signal,
      (value) => parseWith(attributesSchema)(value) ?? {},
    );
  }

  /** `{}` is a configuration too: one that sets nothing. */
  async deviceConfig(device: DeviceIds, signal: AbortSignal): Promise<NetworkConfig> {
    return await this.#post("/GetDeviceConfig", device, device, signal, parseConfig);
  }

  async profileConfig(key: ProfileKey, claim: object, signal: AbortSignal): Promise<NetworkConfig> {
    return await this.#post("/GetProfileConfig", { ...key, claim }, key.device, signal, parseConfig);
  }

  /** The program that is to run once the device is in the pod, with `key.config`; `undefined` where none is. */
  async runtimeHook(key: ProfileKey, claim: object, signal: AbortSignal): Promise<string | undefined> {
    const parse = (value: unknown) => parseWith(hookSchema)(value)?.path;
    return await this.#post("/GetRuntimeHook", { ...key, claim }, key.device, signal, parse);
  }

  async releaseProfile(key: ProfileKey, signal: AbortSignal): Promise<void> {
    const question = { method: "POST", path: "/ReleaseProfileConfig", body: key } as const;
    await this.#ask(question, this.#limits.requestMs, `device ${key.device.name}`, signal);
  }

  async #post<T>(
    path: string,
    body: unknown,
    device: DeviceIds,
    signal: AbortSignal,
    parse: (value: unknown) => T,
  ): Promise<T> {
    const question = { method: "POST", path, body } as const;
    const subject = `device ${device.name}`;
    return this.#read(question, await this.#ask(question, this.#limits.requestMs, subject, signal), subject, parse);
  }

  async #ask(
    question: { readonly method: "GET" | "POST"; readonly path: string; readonly body?: unknown },
    limitMs: number,
    subject: string,
    signal: AbortSignal,
  ): Promise<Answer> {
    const answer = await exchange(this.#endpoint, { ...question, limitMs, maxBytes: MAX_BYTES }, signal).catch(
      (cause: unknown) => {
        signal.throwIfAborted();
        const reason = cause instanceof ExchangeError ? cause.reason : "unreachable";
        throw new ClaimError(`${subject} has no answer of the webhook; ${REMEDIES[reason]}`, { cause });
      },
    );
    if (answer.status === 200) return answer;
    const said = answer.text.replace(/\s+/g, " ").trim().slice(0, MAX_REASON_LENGTH);
    throw new WebhookRefusal(
      answer.status,
      `${subject}: ${nameQuestion(this.#endpoint, question)} answered ${answer.status}${said === "" ? "" : ` (${said})`}; the webhook's log should say why`,
    );
  }

  #read<T>(
    question: { readonly method: "GET" | "POST"; readonly path: string },
    { text }: Answer,
    subject: string,
    parse: (value: unknown) => T,
  ): T {
    try {
      return parse(JSON.parse(text));
    } catch (cause) {
      throw new ClaimError(
        `${subject}: ${nameQuestion(this.#endpoint, question)} answered what netferry cannot read; docs/providers.md shows what it takes`,
        { cause },
      );
    }
  }
}

const REMEDIES: Readonly<Record<ExchangeError["reason"], string>> = {
  unreachable: "is it running, and is --webhook-url right?",
  late: "does it wait for something? Its log should say",
  oversized: "an answer holds one device's attributes or configuration, which is short",
  wrong: "its log should say why",
};

function parseConfig(value: unknown): NetworkConfig {
  const read = readNetworkConfig(withoutNulls(value));
  if ("problems" in read) throw configError("the answer", read.problems);
  return read.config;
}

/** Go's encoder writes null for pointers and lists that are not set, of fields that we may not know too. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const given = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(given.map(([key, inner]) => [key, withoutNulls(inner)]));
}
