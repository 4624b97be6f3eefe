/** A pod as Prepare needs it: may it have our devices, and which of its containers ask for which claim? */

import { z } from "zod";
import { getOrUndefined, notAn } from "./claims.ts";
import type { KubeClient } from "./client/kube-client.ts";

export interface ContainerClaim {
  /** As in the pod's `spec.resourceClaims`. */
  readonly name: string;
  /** Absent when the container takes all requests of the claim. */
  readonly request?: string;
}

export interface ContainerFacts {
  readonly name: string;
  readonly init: boolean;
  readonly claims: readonly ContainerClaim[];
}

export interface PodFacts {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly hostNetwork: boolean;
  /** "" for the cluster's default. */
  readonly runtimeClassName: string;
  /** Init containers, sidecars among them, first. */
  readonly containers: readonly ContainerFacts[];
  /** ResourceClaim names by the pod's own names for them; a template's claim once it has been made. */
  readonly claimNames: Readonly<Record<string, string>>;
}

const containerSchema = z.object({
  name: z.string(),
  resources: z
    .object({ claims: z.array(z.object({ name: z.string(), request: z.string().nullish() })).nullish() })
    .nullish(),
});

const podSchema = z.object({
  metadata: z.object({ uid: z.string(), name: z.string(), namespace: z.string() }),
  spec: z.object({
    hostNetwork: z.boolean().nullish(),
    runtimeClassName: z.string().nullish(),
    initContainers: z.array(containerSchema).nullish(),
    containers: z.array(containerSchema),
    resourceClaims: z.array(z.object({ name: z.string(), resourceClaimName: z.string().nullish() })).nullish(),
  }),
  status: z
    .object({
      resourceClaimStatuses: z.array(z.object({ name: z.string(), resourceClaimName: z.string().nullish() })).nullish(),
    })
    .nullish(),
});

type ContainerObject = z.infer<typeof containerSchema>;

/** Throws ConfigError, which names the path, for something that is no Pod. */
export function parsePod(object: unknown): PodFacts {
  const parsed = podSchema.safeParse(object);
  if (!parsed.success) throw notAn("Pod", parsed.error);
  const { metadata, spec, status } = parsed.data;
  const named = [...(spec.resourceClaims ?? []), ...(status?.resourceClaimStatuses ?? [])];
  return {
    ...metadata,
    hostNetwork: spec.hostNetwork ?? false,
    runtimeClassName: spec.runtimeClassName ?? "",
    containers: [
      ...(spec.initContainers ?? []).map((container) => containerFacts(container, true)),
      ...spec.containers.map((container) => containerFacts(container, false)),
    ],
    claimNames: Object.fromEntries(
      named.flatMap(({ name, resourceClaimName }) =>
        resourceClaimName === undefined || resourceClaimName === null ? [] : [[name, resourceClaimName]],
      ),
    ),
  };
}

function containerFacts({ name, resources }: ContainerObject, init: boolean): ContainerFacts {
  const claims = (resources?.claims ?? []).map(({ name: claim, request }) =>
    request === undefined || request === null || request === "" ? { name: claim } : { name: claim, request },
  );
  return { name, init, claims };
}

/** undefined when there is no such pod. Throws KubeError (403 included) when it cannot be read. */
export async function readPod(
  client: Pick<KubeClient, "get">,
  pod: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<PodFacts | undefined> {
  const object = await getOrUndefined(client, `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}`, { signal });
  return object === undefined ? undefined : parsePod(object);
}
