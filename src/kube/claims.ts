/** A ResourceClaim as Prepare needs it, parsed at the edge. */

import { z } from "zod";
import { parseStrictJson } from "../config/strict-json.ts";
import { ConfigError } from "../lib/errors.ts";
import type { KubeClient, RequestOptions } from "./client/kube-client.ts";
import { isNotFound } from "./client/kube-error.ts";
import { CONDITION_TYPES, type DatedCondition } from "./device-condition.ts";
import type { DeviceStatus } from "./device-status.ts";

export interface ClaimConsumer {
  /** "" for the core group. */
  readonly apiGroup: string;
  /** `pods` */
  readonly resource: string;
  readonly name: string;
  readonly uid: string;
}

/** One device of ours that the scheduler gave to the claim. */
export interface AllocationResult {
  /** `main`, or `main/sub` where firstAvailable chose. */
  readonly request: string;
  readonly pool: string;
  readonly device: string;
  readonly adminAccess: boolean;
  readonly shareId?: string;
}

/** Configuration for our driver, uninterpreted. */
export interface AllocationConfig {
  readonly source: "FromClass" | "FromClaim";
  /** Empty means every request; `main` covers its sub-requests too. */
  readonly requests: readonly string[];
  readonly parameters: unknown;
}

export interface ClaimFacts {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of a claim that was made from a template: the name that its pod gives it. */
  readonly podClaimName?: string;
  readonly allocated: boolean;
  readonly reservedFor: readonly ClaimConsumer[];
  /** Of our driver only. */
  readonly results: readonly AllocationResult[];
  /** Of our driver only, in the API's order: those of classes first, so that later ones come closer to the user. */
  readonly configs: readonly AllocationConfig[];
  /** `status.devices` of our driver only, with the conditions that are ours. */
  readonly devices: readonly DeviceStatus<DatedCondition>[];
}

/** The controller that makes claims from templates sets it. */
const POD_CLAIM_NAME = "resource.kubernetes.io/pod-claim-name";

const nullable = <T extends z.ZodType>(schema: T) => schema.nullish();

const deviceSchema = z.object({
  driver: z.string(),
  pool: z.string(),
  device: z.string(),
  shareID: nullable(z.string()),
  conditions: nullable(
    z.array(
      z.object({
        type: z.string(),
        status: z.string(),
        reason: z.string(),
        message: nullable(z.string()),
        lastTransitionTime: nullable(z.string()),
      }),
    ),
  ),
  networkData: nullable(
    z.object({
      interfaceName: nullable(z.string()),
      hardwareAddress: nullable(z.string()),
      ips: nullable(z.array(z.string())),
    }),
  ),
});

const claimSchema = z.object({
  metadata: z.object({
    uid: z.string(),
    name: z.string(),
    namespace: z.string(),
    annotations: nullable(z.record(z.string(), z.string())),
  }),
  status: nullable(
    z.object({
      devices: nullable(z.array(deviceSchema)),
      reservedFor: nullable(
        z.array(z.object({ apiGroup: nullable(z.string()), resource: z.string(), name: z.string(), uid: z.string() })),
      ),
      allocation: nullable(
        z.object({
          devices: nullable(
            z.object({
              results: nullable(
                z.array(
                  z.object({
                    request: z.string(),
                    driver: z.string(),
                    pool: z.string(),
                    device: z.string(),
                    adminAccess: nullable(z.boolean()),
                    shareID: nullable(z.string()),
                  }),
                ),
              ),
              config: nullable(
                z.array(
                  z.object({
                    source: z.enum(["FromClass", "FromClaim"]),
                    requests: nullable(z.array(z.string())),
                    opaque: nullable(z.object({ driver: z.string(), parameters: z.unknown() })),
                  }),
                ),
              ),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** Throws ConfigError, which names the path, for something that is no ResourceClaim of `resource.k8s.io/v1`. */
export function parseClaim(object: unknown, driver: string): ClaimFacts {
  const parsed = claimSchema.safeParse(object);
  if (!parsed.success) throw notAn("ResourceClaim", parsed.error);
  const { status } = parsed.data;
  const { annotations, ...metadata } = parsed.data.metadata;
  const podClaimName = annotations?.[POD_CLAIM_NAME];
  const devices = status?.allocation?.devices;
  return {
    ...metadata,
    ...(podClaimName === undefined ? {} : { podClaimName }),
    allocated: status?.allocation !== undefined && status.allocation !== null,
    reservedFor: (status?.reservedFor ?? []).map((consumer) => ({ ...consumer, apiGroup: consumer.apiGroup ?? "" })),
    results: (devices?.results ?? [])
      .filter((result) => result.driver === driver)
      .map(({ request, pool, device, adminAccess, shareID }) => ({
        request,
        pool,
        device,
        adminAccess: adminAccess ?? false,
        ...(shareID === undefined || shareID === null ? {} : { shareId: shareID }),
      })),
    configs: (devices?.config ?? []).flatMap(({ source, requests, opaque }) =>
      opaque?.driver === driver ? [{ source, requests: requests ?? [], parameters: opaque.parameters }] : [],
    ),
    devices: (status?.devices ?? []).filter((device) => device.driver === driver).map(deviceStatus),
  };
}

function deviceStatus({ shareID, conditions, networkData, ...key }: z.infer<typeof deviceSchema>) {
  const { interfaceName, hardwareAddress, ips } = networkData ?? {};
  const data = {
    interfaceName: interfaceName ?? "",
    ...(hardwareAddress === undefined || hardwareAddress === null ? {} : { hardwareAddress }),
    ...(ips === undefined || ips === null ? {} : { ips }),
  };
  return {
    ...key,
    ...(shareID === undefined || shareID === null ? {} : { shareID }),
    conditions: (conditions ?? []).flatMap(({ type, status, reason, message, lastTransitionTime }) => {
      const own = CONDITION_TYPES.find((known) => known === type);
      if (own === undefined || (status !== "True" && status !== "False")) return [];
      return {
        type: own,
        status,
        reason,
        message: message ?? "",
        lastTransitionTime: lastTransitionTime ?? "",
      } as const;
    }),
    ...(networkData === undefined || networkData === null ? {} : { networkData: data }),
  };
}

/**
 * undefined when there is no such claim. Throws KubeError (403 included) when it cannot be read, ConfigError when a key is
 * given twice: the API server keeps the text of opaque parameters as it came.
 */
export async function readClaim(
  client: Pick<KubeClient, "get">,
  claim: { readonly namespace: string; readonly name: string },
  driver: string,
  signal: AbortSignal,
): Promise<ClaimFacts | undefined> {
  const path = `/apis/resource.k8s.io/v1/namespaces/${claim.namespace}/resourceclaims/${claim.name}`;
  const options = { signal, parse: (text: string) => parseStrictJson(text, "") };
  const object = await getOrUndefined(client, path, options).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`claim ${claim.namespace}/${claim.name}`, error.message, { cause: error });
  });
  return object === undefined ? undefined : parseClaim(object, driver);
}

export async function getOrUndefined(
  client: Pick<KubeClient, "get">,
  path: string,
  options: RequestOptions,
): Promise<unknown> {
  try {
    return await client.get<unknown>(path, options);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export function notAn(kind: string, error: z.ZodError): ConfigError {
  const [issue] = error.issues;
  return new ConfigError(`${kind} ${issue?.path.join(".") ?? ""}`.trim(), issue?.message ?? error.message);
}
