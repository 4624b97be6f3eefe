import type { AllocatedClaim } from "../attach/allocated.ts";
import type { Authority } from "../config/authority.ts";
import type { ConfigEntry } from "../config/merge.ts";
import { ClaimError } from "../lib/errors.ts";

interface ClaimFacts {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly podClaimName?: string;
  readonly results: readonly {
    readonly request: string;
    readonly pool: string;
    readonly device: string;
    readonly adminAccess: boolean;
    readonly shareId?: string;
  }[];
  readonly configs: readonly ConfigEntry[];
}

/**
 * Each device with the configuration that applies to its request. Rejects with a ClaimError for an invalid one. The
 * schema is loaded with the first claim: an idle agent does without its megabytes.
 */
export async function allocatedClaim(facts: ClaimFacts, authority: Authority): Promise<AllocatedClaim> {
  const { configFor } = await import("../config/merge.ts");
  const { uid, namespace, name, podClaimName, results, configs } = facts;
  try {
    const devices = results.map((result) => ({ ...result, config: configFor(configs, result.request, authority) }));
    return { uid, namespace, name, devices, ...(podClaimName === undefined ? {} : { podClaimName }) };
  } catch (cause) {
    throw new ClaimError(`claim ${namespace}/${name}`, { cause });
  }
}
