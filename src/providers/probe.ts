/** Which cloud this host is in: all are asked at the same time, for a short time. */

import { CLOUDS, type CloudName, type ProviderOptions } from "../config/providers.ts";
import { Metadata } from "./metadata.ts";
import { type MetadataCloud, SERVICES } from "./services.ts";

/** Metadata services are on the host itself and answer in milliseconds; elsewhere their addresses are silent. */
const PROBE_LIMIT_MS = 2_000;

export interface ProbeParts {
  readonly options: ProviderOptions;
  /** Whether the Node or the webhook says so; absent where there is none. */
  readonly others: {
    readonly [Cloud in Exclude<CloudName, MetadataCloud>]?: (signal: AbortSignal) => Promise<boolean>;
  };
  readonly limitMs?: number;
}

/** The first of `CLOUDS` that answers as it should; `undefined` when none does. Rejects only with the signal's reason. */
export async function probeClouds(parts: ProbeParts, signal: AbortSignal): Promise<CloudName | undefined> {
  const limitMs = parts.limitMs ?? PROBE_LIMIT_MS;
  const answers = CLOUDS.map(async (cloud) => {
    try {
      return await isHere(cloud, parts, limitMs, signal);
    } catch {
      return false; // no answer, or not one of this cloud: it is elsewhere
    }
  });
  // The order of CLOUDS decides, whoever answers first; those behind the first that is here need not be waited for.
  for (const [index, cloud] of CLOUDS.entries()) if (await answers[index]) return cloud;
  signal.throwIfAborted();
  return undefined;
}

async function isHere(
  cloud: CloudName,
  { options, others }: ProbeParts,
  limitMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (cloud === "CKS" || cloud === "webhook") return (await others[cloud]?.(signal)) ?? false;
  const service = SERVICES[cloud];
  return service.isHere(new Metadata(service, { endpoint: endpointOf(cloud, options), limitMs, signal }));
}

export function endpointOf(cloud: MetadataCloud, options: ProviderOptions): string | undefined {
  return options[cloud.toLowerCase()]?.["endpoint"];
}
