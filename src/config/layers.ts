/** What stands under the configuration of class and claim: that of the device's provider, and under it the profile's. */

import { ClaimError } from "../lib/errors.ts";
import { familyOf } from "./ip.ts";
import { configError, type NetworkConfig, readNetworkConfig } from "./network-config.ts";
import { overlay } from "./overlay.ts";

export interface Layers {
  /** Of the profile that the others name. */
  readonly profile?: NetworkConfig | undefined;
  /** Of the cloud or webhook, for this device, whoever claims it. */
  readonly provider?: NetworkConfig | undefined;
  /** Class and claim, merged. */
  readonly claim: NetworkConfig;
}

/** Throws a ClaimError when each layer is right and the whole is not: addresses under a claim that wants them by DHCP. */
export function layered({ profile = {}, provider = {}, claim }: Layers): NetworkConfig {
  const merged = overlay(overlay(profile, fitting(provider, claim)), claim);
  const read = readNetworkConfig(merged);
  if ("problems" in read)
    throw new ClaimError("what profile, provider, DeviceClass and claim say does not go together", {
      cause: configError("together", read.problems),
    });
  return merged;
}

/** A provider does not know what the claim does with the device: its part about what the claim does not want is left out. */
function fitting(provider: NetworkConfig, { interface: link = {} }: NetworkConfig): NetworkConfig {
  const { rules = [], routes = [], neighbors = [], ...rest } = provider;
  const isWanted = (text: string | undefined) => link.disableIPv6 !== true || familyOf(text) !== "ipv6";
  // A VRF has rules of its own.
  const fittingRules = link.vrf === undefined ? rules.filter((rule) => isWanted(rule.source ?? rule.destination)) : [];
  const fittingRoutes = routes.filter(({ destination }) => isWanted(destination));
  const fittingNeighbors = neighbors.filter(({ destination }) => isWanted(destination));
  return {
    ...rest,
    ...(fittingRules.length === 0 ? {} : { rules: fittingRules }),
    ...(fittingRoutes.length === 0 ? {} : { routes: fittingRoutes }),
    ...(fittingNeighbors.length === 0 ? {} : { neighbors: fittingNeighbors }),
  };
}
