/** Reading a cloud's metadata: what is loaded once a host is known to be in one. */

import type { Config } from "../config/flags.ts";
import type { CloudName } from "../config/providers.ts";
import { readAws } from "./aws.ts";
import { readAzure } from "./azure.ts";
import type { Cloud } from "./cloud.ts";
import { readGce } from "./gce.ts";
import { Metadata } from "./metadata.ts";
import { cksOf, readAlibaba, readOke } from "./metadata-table.ts";
import { endpointOf } from "./probe.ts";
import { type MetadataCloud, SERVICES } from "./services.ts";

const READERS: Readonly<Record<MetadataCloud, (metadata: Metadata) => Promise<Cloud>>> = {
  GCE: readGce,
  AWS: readAws,
  AZURE: readAzure,
  OKE: readOke,
  ALIBABA: readAlibaba,
};

export interface CloudSource {
  readonly config: Pick<Config, "cloudProviderOptions">;
  /** Labels of this Node; absent without a cluster. */
  readonly nodeLabels?: ((signal: AbortSignal) => Promise<Readonly<Record<string, string>>>) | undefined;
}

export async function readCloud(
  name: Exclude<CloudName, "webhook">,
  { config, nodeLabels }: CloudSource,
  signal: AbortSignal,
): Promise<Cloud> {
  if (name === "CKS") return cksOf((await nodeLabels?.(signal)) ?? {});
  const endpoint = endpointOf(name, config.cloudProviderOptions);
  return await READERS[name](new Metadata(SERVICES[name], { endpoint, signal }));
}
