/**
 * Device metadata files (KEP-5304): what a container is told of the devices that its request got, in a file that its
 * receipt mounts. Kubernetes documentation, "Device metadata protocol".
 */

import type { NetworkData } from "../claims/network-data.ts";
import type { AttributeValue } from "../inventory/device.ts";

export interface ClaimMetadata {
  readonly namespace: string;
  readonly name: string;
  /** For a claim made from a template: the name that the pod gives it (`spec.resourceClaims[].name`). */
  readonly podClaimName?: string;
  readonly devices: readonly MetadataDevice[];
}

export interface MetadataDevice {
  /** As the allocation result has it: `main` or `main/sub`. */
  readonly request: string;
  readonly pool: string;
  readonly name: string;
  /** As they are published. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly networkData?: NetworkData;
}

/** Readers take the first version that they know: the newest stands first. */
const API_VERSIONS = ["metadata.resource.k8s.io/v1beta1", "metadata.resource.k8s.io/v1alpha1"];

/** The released protocol's place in the container, and the one that the KEP's text names. */
const RELEASED_ROOT = "/var/run/kubernetes.io/dra-device-attributes";
const KEP_ROOT = "/var/run/dra-device-attributes";

/** Where the containers that name `request`, a base request, find the file. */
export function metadataPaths(driver: string, claim: ClaimMetadata, request: string): readonly string[] {
  const { name, podClaimName } = claim;
  const file = `${request}/${driver}-metadata.json`;
  const byOrigin = podClaimName === undefined ? `resourceclaims/${name}` : `resourceclaimtemplates/${podClaimName}`;
  return [`${RELEASED_ROOT}/${byOrigin}/${file}`, `${KEP_ROOT}/${podClaimName ?? name}/${file}`];
}

/** Below the directory of all files: one for each claim and base request. */
export function metadataFileName(driver: string, claimUid: string, request: string): string {
  return `${claimUid}/${request}/${driver}-metadata.json`;
}

/**
 * The file, in generation `generation`: the same object once for each version. `request` is the base request; a file of
 * `firstAvailable` names the alternative that was chosen.
 */
export function metadataText(
  driver: string,
  claimUid: string,
  claim: ClaimMetadata,
  request: string,
  generation: number,
): string {
  const { namespace, name, podClaimName } = claim;
  const devices = Map.groupBy(
    claim.devices.filter((device) => device.request.split("/", 1)[0] === request),
    (device) => device.request,
  );
  const requests = [...devices].map(([full, given]) => ({
    name: full,
    devices: given.map(({ pool, name: device, attributes, networkData }) => ({
      driver,
      pool,
      name: device,
      attributes,
      ...(networkData === undefined ? {} : { networkData }),
    })),
  }));
  const metadata = { name, namespace, uid: claimUid, generation };
  const objects = API_VERSIONS.map((apiVersion) => ({
    kind: "DeviceMetadata",
    apiVersion,
    metadata,
    ...(podClaimName === undefined ? {} : { podClaimName }),
    requests,
  }));
  return `${objects.map((object) => JSON.stringify(object)).join("\n")}\n`;
}

/** The generation that a file which `metadataText` wrote is in; `undefined` for any other text. */
export function generationOf(text: string): number | undefined {
  const found = /"generation":(\d+)/.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}
