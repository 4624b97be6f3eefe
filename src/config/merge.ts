/**
 * Which configuration a request gets. Entries of DeviceClasses and of the claim both apply, classes first, each later one
 * over the earlier ones. What a class set is final, except for what it lists under `overridable`: a claim that says
 * otherwise is refused, since an administrator's word must not be lost in silence.
 */

import { ClaimError, ConfigError } from "../lib/errors.ts";
import type { InterfaceConfig } from "./interface.ts";
import { type NetworkConfig, type OverridablePath, parseClassConfig, parseNetworkConfig } from "./network-config.ts";

/** One entry of `status.allocation.devices.config` that is for this driver. */
export interface ConfigEntry {
  readonly source: "FromClass" | "FromClaim";
  /** Empty: all requests. `main` stands for `main/sub` too. */
  readonly requests: readonly string[];
  readonly parameters: unknown;
}

interface Layer {
  config: NetworkConfig;
  readonly overridable: Set<OverridablePath>;
}

/** `request` as the allocation result has it: `main` or `main/sub`. Throws a ClaimError that lists all problems. */
export function configFor(entries: readonly ConfigEntry[], request: string): NetworkConfig {
  const problems: string[] = [];
  const fromClass = readLayer(entries, "FromClass", request, problems);
  const fromClaim = readLayer(entries, "FromClaim", request, problems);
  const merged = override(fromClass.config, fromClaim.config, fromClass.overridable, problems);
  if (problems.length > 0)
    throw new ClaimError(`request ${request} has no valid configuration: ${problems.join("; ")}`);
  return merged;
}

/** Whether an entry's list of requests means this one. */
export function appliesTo(requests: readonly string[], request: string): boolean {
  return requests.length === 0 || requests.includes(request) || requests.includes(request.split("/", 1)[0] ?? request);
}

function readLayer(
  entries: readonly ConfigEntry[],
  source: ConfigEntry["source"],
  request: string,
  problems: string[],
): Layer {
  const layer: Layer = { config: {}, overridable: new Set() };
  for (const entry of entries.filter((one) => one.source === source && appliesTo(one.requests, request))) {
    try {
      if (source === "FromClaim") {
        layer.config = overlay(layer.config, parseNetworkConfig(entry.parameters, "the claim's configuration"));
      } else {
        const { config, overridable } = parseClassConfig(entry.parameters, "the DeviceClass's configuration");
        layer.config = overlay(layer.config, config);
        for (const path of overridable) layer.overridable.add(path);
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(error.message);
    }
  }
  return layer;
}

/** The claim's layer over the class's. Adds to `problems` where the claim contradicts what it may not. */
function override(
  fixed: NetworkConfig,
  claim: NetworkConfig,
  overridable: ReadonlySet<OverridablePath>,
  problems: string[],
): NetworkConfig {
  const mayChange = (path: OverridablePath): boolean =>
    overridable.has(path) || (path.startsWith("interface.") && overridable.has("interface"));
  const contradict = (path: string, mine: unknown, theirs: unknown): void => {
    problems.push(
      `the claim sets ${path} to ${JSON.stringify(mine)}, but the DeviceClass sets it to ${JSON.stringify(theirs)} and does not list it under overridable`,
    );
  };
  for (const key of SCALARS) {
    const [mine, theirs] = [claim.interface?.[key], fixed.interface?.[key]];
    if (mine !== undefined && theirs !== undefined && mine !== theirs && !mayChange(`interface.${key}`)) {
      contradict(`interface.${key}`, mine, theirs);
    }
  }
  for (const list of ["routes", "neighbors"] as const) {
    if (mayChange(list)) continue;
    const theirs = new Map((fixed[list] ?? []).map((item) => [keyOf(list, item), item]));
    for (const item of claim[list] ?? []) {
      const other = theirs.get(keyOf(list, item));
      if (other !== undefined && textOf(other) !== textOf(item))
        contradict(`${list} ${keyOf(list, item)}`, item, other);
    }
  }
  return overlay(
    {
      ...fixed,
      // Items of these lists are their own keys: to set another value can only mean to replace the list.
      ...(claim.rules !== undefined && mayChange("rules") ? { rules: [] } : {}),
      ...(fixed.interface !== undefined && claim.interface?.addresses !== undefined && mayChange("interface.addresses")
        ? { interface: { ...fixed.interface, addresses: [] } }
        : {}),
    },
    claim,
  );
}

const SCALARS = ["name", "mtu", "hardwareAddr"] as const satisfies readonly (keyof InterfaceConfig)[];
const RT_TABLE_MAIN = 254;

/** `upper` over `lower`: scalars where given, lists by key, an item of `upper` in the place of that with the same key. */
function overlay(lower: NetworkConfig, upper: NetworkConfig): NetworkConfig {
  const addresses = union(lower.interface?.addresses, upper.interface?.addresses, (address) => address);
  const routes = union(lower.routes, upper.routes, (route) => keyOf("routes", route));
  const rules = union(lower.rules, upper.rules, textOf);
  const neighbors = union(lower.neighbors, upper.neighbors, (neighbor) => keyOf("neighbors", neighbor));
  const link = lower.interface ?? upper.interface;
  return {
    ...(link && { interface: { ...lower.interface, ...upper.interface, ...(addresses && { addresses }) } }),
    ...(routes && { routes }),
    ...(rules && { rules }),
    ...(neighbors && { neighbors }),
  };
}

function union<T>(
  lower: readonly T[] | undefined,
  upper: readonly T[] | undefined,
  key: (item: T) => string,
): readonly T[] | undefined {
  if (lower === undefined && upper === undefined) return undefined;
  // A Map keeps the place of a key that is set again.
  return [...new Map([...(lower ?? []), ...(upper ?? [])].map((item) => [key(item), item])).values()];
}

function keyOf(list: "routes" | "neighbors", item: { readonly destination: string; readonly table?: number }): string {
  return list === "routes" ? `${item.destination} table ${item.table || RT_TABLE_MAIN}` : item.destination;
}

/** The same text for the same fields, in whatever order they were written. */
function textOf(item: object): string {
  return JSON.stringify(Object.entries(item).toSorted(([left], [right]) => (left < right ? -1 : 1)));
}
