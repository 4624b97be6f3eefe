/** Flags that say where facts and profiles from outside the host come from: clouds and webhooks. */

import { ConfigError } from "../lib/errors.ts";
import { suggestion } from "./nearest.ts";

/** In the order in which an answer counts when several answer. */
export const CLOUDS = ["GCE", "AWS", "AZURE", "OKE", "ALIBABA", "CKS", "webhook"] as const;
export type CloudName = (typeof CLOUDS)[number];
/** Empty: whichever answers. */
export type CloudHint = CloudName | "NONE" | "";

const PROFILE_PROVIDERS = ["cloud", "webhook", "none"] as const;
export type ProfileProvider = (typeof PROFILE_PROVIDERS)[number];

/** By provider in lower case, by option. */
export type ProviderOptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

const ENDPOINT = { endpoint: checkHttpUrl };
const OPTIONS: Readonly<Record<string, Readonly<Record<string, (value: string) => void>>>> = {
  gce: ENDPOINT,
  aws: ENDPOINT,
  azure: ENDPOINT,
  oke: ENDPOINT,
  alibaba: ENDPOINT,
  webhook: { "ca-file": checkPath },
};

/** DRANET's, for what this version does not have. */
const UNSERVED_OPTIONS: readonly string[] = ["oke.rdma-child-ipv4-cidr"];

/** Throws an Error whose message completes `"value" …`, as the other parsers of flags do. */
export function parseCloudHint(text: string): CloudHint {
  const hints = [...CLOUDS, "NONE"] as const;
  const hint = hints.find((known) => known.toLowerCase() === text.toLowerCase());
  if (hint !== undefined || text === "") return hint ?? "";
  throw new Error(`is not one of ${hints.join(", ")}${suggestion(text, hints)}`);
}

export function parseProfileProvider(text: string): ProfileProvider {
  const provider = PROFILE_PROVIDERS.find((known) => known === text);
  if (provider !== undefined) return provider;
  throw new Error(`is not one of ${PROFILE_PROVIDERS.join(", ")}${suggestion(text, PROFILE_PROVIDERS)}`);
}

export function parseWebhookUrl(text: string): string {
  if (text === "" || /^unix:\/\/\/[^?#\0]+$/.test(text)) return text;
  if (text.startsWith("unix:")) throw new Error("names no socket; write unix:///path/of/the.sock");
  checkHttpUrl(text);
  return text.replace(/\/+$/, "");
}

/** Each text is `provider.option=value`; an option given twice has its last value. Throws a ConfigError. */
export function parseProviderOptions(texts: readonly string[]): ProviderOptions {
  const found: Record<string, Record<string, string>> = {};
  for (const text of texts.filter((one) => one !== "")) {
    const [, provider = "", option = "", value = ""] = /^([^.=]+)\.([^=]+)=(.*)$/s.exec(text) ?? [];
    if (UNSERVED_OPTIONS.includes(`${provider}.${option}`)) continue;
    const problem = problemOfOption(provider, option, value);
    if (problem !== undefined) throw new ConfigError("--cloud-provider-options", `${JSON.stringify(text)} ${problem}`);
    found[provider] = { ...found[provider], [option]: value };
  }
  return Object.freeze(found);
}

function problemOfOption(provider: string, option: string, value: string): string | undefined {
  if (provider === "") return "is not provider.option=value";
  const known = OPTIONS[provider];
  if (known === undefined)
    return `names the provider ${provider}, which has no options${suggestion(provider, Object.keys(OPTIONS))}`;
  const check = known[option];
  if (check === undefined)
    return `names the option ${option}, which ${provider} does not have: it has ${Object.keys(known).join(", ")}`;
  try {
    check(value);
    return undefined;
  } catch (error) {
    return `has a value that ${error instanceof Error ? error.message : error}`;
  }
}

export function unservedProviderOptions(texts: readonly string[]): readonly string[] {
  return UNSERVED_OPTIONS.filter((option) => texts.some((text) => text.startsWith(`${option}=`)));
}

/** What the flags say together. Throws a ConfigError. */
export function checkProviders(config: {
  readonly cloudProviderHint: CloudHint;
  readonly profileProvider: ProfileProvider;
  readonly webhookUrl: string;
  readonly cloudProviderOptions: ProviderOptions;
}): void {
  const { cloudProviderHint: hint, profileProvider, webhookUrl, cloudProviderOptions } = config;
  for (const [flag, value] of [
    ["--cloud-provider-hint", hint],
    ["--profile-provider", profileProvider],
  ] as const) {
    if (value === "webhook" && webhookUrl === "")
      throw new ConfigError(flag, "webhook needs --webhook-url, where the webhook is");
  }
  if (hint === "") return;
  const used = [hint.toLowerCase(), profileProvider];
  const idle = Object.keys(cloudProviderOptions).find((provider) => !used.includes(provider));
  if (idle !== undefined)
    throw new ConfigError(
      "--cloud-provider-options",
      `sets options of ${idle}, which does not run with --cloud-provider-hint=${hint}`,
    );
}

function checkHttpUrl(text: string): void {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.search !== "" || url.hash !== "")
    throw new Error("is no http:// or https:// URL without a query");
}

function checkPath(text: string): void {
  if (!text.startsWith("/")) throw new Error("is no absolute path");
}
