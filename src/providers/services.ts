/**
 * The metadata services, and how to tell that a host is in this cloud. Most share one address, and each answers the
 * others' questions with an error.
 */

import type { CloudName } from "../config/providers.ts";
import type { Metadata, MetadataService } from "./metadata.ts";

/** Those whose metadata come over HTTP from the host itself. */
export type MetadataCloud = Exclude<CloudName, "CKS" | "webhook">;

export interface Service extends MetadataService {
  readonly isHere: (metadata: Metadata) => Promise<boolean>;
}

const LINK_LOCAL = "http://169.254.169.254";
export const AZURE_VERSION = "2025-11-11";

const isOk = (path: string) => async (metadata: Metadata) => (await metadata.ask(path)).status === 200;

export const SERVICES: Readonly<Record<MetadataCloud, Service>> = {
  GCE: {
    endpoint: LINK_LOCAL,
    headers: { "metadata-flavor": "Google" },
    isHere: async (metadata) => (await metadata.ask("/")).headers["metadata-flavor"] === "Google",
  },
  AWS: {
    endpoint: LINK_LOCAL,
    session: {
      path: "/latest/api/token",
      lifetimeHeader: "x-aws-ec2-metadata-token-ttl-seconds",
      tokenHeader: "x-aws-ec2-metadata-token",
    },
    isHere: isOk("/latest/dynamic/instance-identity/document"),
  },
  AZURE: {
    endpoint: LINK_LOCAL,
    headers: { metadata: "true" },
    isHere: isOk(`/metadata/instance/compute?api-version=${AZURE_VERSION}&format=json`),
  },
  OKE: {
    endpoint: LINK_LOCAL,
    headers: { authorization: "Bearer Oracle" },
    isHere: isOk("/opc/v2/instance/"),
  },
  ALIBABA: {
    endpoint: "http://100.100.100.200",
    session: {
      path: "/latest/api/token",
      lifetimeHeader: "x-aliyun-ecs-metadata-token-ttl-seconds",
      tokenHeader: "x-aliyun-ecs-metadata-token",
    },
    isHere: isOk("/latest/meta-data/instance-id"),
  },
};
