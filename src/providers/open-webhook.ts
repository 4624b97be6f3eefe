import { readFileSync } from "node:fs";
import type { Config } from "../config/flags.ts";
import { ConfigError } from "../lib/errors.ts";
import { Webhook } from "./webhook.ts";

/** Throws a ConfigError when the file of authorities cannot be read. */
export function openWebhook({
  webhookUrl: url,
  cloudProviderOptions,
}: Pick<Config, "webhookUrl" | "cloudProviderOptions">): Webhook {
  const caFile = cloudProviderOptions["webhook"]?.["ca-file"];
  return new Webhook(caFile === undefined ? { url } : { url, ca: readText(caFile) });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigError("--cloud-provider-options", `webhook.ca-file: ${path} cannot be read`, { cause });
  }
}
