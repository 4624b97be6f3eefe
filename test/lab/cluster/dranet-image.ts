/** DRANET itself, built from its published module: what netferry takes the place of. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MetadataService } from "../../fakes/metadata-service.ts";
import { writeImages } from "../runtime/image.ts";
import { build, programPath } from "./build.ts";
import type { Cluster } from "./cluster.ts";
import { dranetModule } from "./modules.ts";

/** As containerd writes out `dranet:lab`. */
export const DRANET_IMAGE = "docker.io/library/dranet:lab";

export function dranetExecutable(): string {
  return programPath(dranetModule(), "dranet");
}

/** Builds it where the cache lacks it. Returns its version. */
export async function importDranet(cluster: Cluster, say: (line: string) => void): Promise<string> {
  const { version } = await build(dranetModule(), say);
  const tmp = { path: "tmp/.keep", bytes: new Uint8Array(), mode: 0o644 }; // its base has a folder for temporary files
  const executable = { path: "dranet", bytes: readFileSync(dranetExecutable()), mode: 0o755 };
  // Like its own image it has a command and no entry point: the arguments of its manifest begin with the executable.
  const image = { reference: DRANET_IMAGE, entrypoint: [], compressed: false, files: [executable, tmp] };
  const archive = join(cluster.dir, "dranet-image.tar");
  writeImages(archive, [image]);
  await cluster.importImages(archive);
  return version;
}

/**
 * Google's metadata service that knows nothing of the machine: DRANET asks it wherever it runs, unless it is told another
 * address by `GCE_METADATA_HOST`.
 */
export function noCloud(): MetadataService {
  const service = new MetadataService("gce");
  service.answers.clear();
  for (const what of ["name", "machine-type"]) service.answers.set(`/computeMetadata/v1/instance/${what}`, "lab");
  service.answers.set("/computeMetadata/v1/instance/network-interfaces/?recursive=true&alt=json", []);
  return service;
}
