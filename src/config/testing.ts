/** For unit tests of the configuration. */

import { ConfigError } from "../lib/errors.ts";
import { parseNetworkConfig } from "./network-config.ts";

/** The sentences with which a claim's configuration is refused. Throws when it is not. */
export function problems(value: unknown): string[] {
  try {
    parseNetworkConfig(value, "claim");
  } catch (error) {
    if (error instanceof ConfigError && error.message.startsWith("claim: ")) {
      return error.message.slice("claim: ".length).split("; ");
    }
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(value)}`);
}
