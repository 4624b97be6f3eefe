/**
 * Which configuration a request gets. Entries of DeviceClasses and of the claim both apply, classes first, each later one
 * over the earlier ones. What a class set is final, except for what it lists under `overridable`: a claim that says
 * otherwise is refused, since an administrator's word must not be lost in silence. What reaches beyond the pod is the
 * class's alone.
 */

import { ClaimError } from "../lib/errors.ts";
import { appliesTo } from "./applies-to.ts";
import { type Authority, authorityProblems, DEFAULT_AUTHORITY, isWithin } from "./authority.ts";
import {
  type ClassConfig,
  configError,
  type NetworkConfig,
  type Refused,
  readClassConfig,
  readNetworkConfig,
} from "./network-config.ts";
import { contradictions, overlay, withoutReplaced } from "./overlay.ts";
import { wholeProblems } from "./whole-rules.ts";

/** One entry of `status.allocation.devices.config` that is for this driver. */
export interface ConfigEntry {
  readonly source: "FromClass" | "FromClaim";
  /** Empty: all requests. `main` stands for `main/sub` too. */
  readonly requests: readonly string[];
  readonly parameters: unknown;
}

const SOURCES = { FromClass: "the DeviceClass's configuration", FromClaim: "the claim's configuration" } as const;

/** `request` as the allocation result has it: `main` or `main/sub`. Throws a ClaimError that lists all problems. */
export function configFor(
  entries: readonly ConfigEntry[],
  request: string,
  authority: Authority = DEFAULT_AUTHORITY,
): NetworkConfig {
  const problems: string[] = [];
  const fromClass = readLayer(entries, "FromClass", request, authority, problems);
  const fromClaim = readLayer(entries, "FromClaim", request, authority, problems);
  const isFree = (path: string) => isWithin(fromClass.overridable, path);
  for (const { what, lower, upper } of contradictions(fromClass.config, fromClaim.config, isFree)) {
    problems.push(
      `the claim sets ${what} to ${JSON.stringify(upper)}, but the DeviceClass sets it to ${JSON.stringify(lower)} and does not list it under overridable`,
    );
  }
  const merged = overlay(withoutReplaced(fromClass.config, fromClaim.config, isFree), fromClaim.config);
  // Each part may be right and the whole wrong: a class's MTU with a claim's IPv6 setting.
  if (problems.length === 0) pushProblems(problems, readWhole(merged), "DeviceClass and claim together");
  if (problems.length > 0)
    throw new ClaimError(`request ${request} has no valid configuration: ${problems.join("; ")}`);
  return merged;
}

/** What one entry alone says, or everything that is wrong with it. */
export function readEntry(
  { source, parameters }: Pick<ConfigEntry, "source" | "parameters">,
  authority: Authority,
): ClassConfig | Refused {
  if (source === "FromClass") return readClassConfig(parameters);
  const read = readNetworkConfig(parameters);
  const problems = [...("problems" in read ? read.problems : []), ...authorityProblems(parameters, authority)];
  if (problems.length > 0 || "problems" in read) return { problems };
  return { config: read.config, overridable: [] };
}

function readLayer(
  entries: readonly ConfigEntry[],
  source: ConfigEntry["source"],
  request: string,
  authority: Authority,
  problems: string[],
): ClassConfig {
  let layer: ClassConfig = { config: {}, overridable: [] };
  for (const entry of entries.filter((one) => one.source === source && appliesTo(one.requests, request))) {
    const read = readEntry(entry, authority);
    pushProblems(problems, read, SOURCES[source]);
    if ("problems" in read) continue;
    layer = {
      config: overlay(layer.config, read.config),
      overridable: [...layer.overridable, ...read.overridable],
    };
  }
  return layer;
}

function readWhole(merged: NetworkConfig): object | Refused {
  const read = readNetworkConfig(merged);
  const problems = "problems" in read ? [] : wholeProblems(read.config);
  return problems.length === 0 ? read : { problems };
}

function pushProblems(problems: string[], read: object | Refused, where: string): void {
  if ("problems" in read) problems.push(configError(where, read.problems).message);
}
