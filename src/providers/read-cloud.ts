/** Reading a cloud's metadata: what is loaded once a host is known to be in one. */

import type { CloudName } from "../config/providers.ts";
import { readAws } from "./aws.ts";
import { readAzure } from "./azure.ts";
import type { Cloud } from "./cloud.ts";
import { readGce } from "./gce.ts";
import { Metadata } from "./metadata.ts";
import { cksOf, readAlibaba, readOke } from "./metadata-table.ts";
import { endpointOf } from "./probe.ts";
import type { ProvidersParts } from "./providers.ts";
import { type MetadataCloud, SERVICES } from "./services.ts";

const READERS: Readonly<Record<MetadataCloud, (metadata: Metadata) => Promise<Cloud>>> = {
  GCE: readGce,
  AWS: readAws,
  AZURE: readAzure,
  OKE: readOke,
  ALIBABA: readAlibaba,
};

export async function readCloud(
  name: Exclude<CloudName, "webhook">,
  { config, nodeLabels }: Pick<ProvidersParts, "config" | "nodeLabels">,
  signal: AbortSignal,
): Promise<Cloud> {
  if (name === "CKS") return cksOf((await nodeLabels?.(signal)) ?? {});
  const endpoint = endpointOf(name, config.cloudProviderOptions);
  return await READERS[name](new Metadata(SERVICES[name], { endpoint, signal }));
}
