/** DRANET itself, built from its published module: what netferry takes the place of. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
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
 * A metadata service that knows nothing of the machine: DRANET asks the one of Google's cloud wherever it runs, unless it
 * is told another address by `GCE_METADATA_HOST`.
 */
export class NoCloud implements AsyncDisposable {
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) => {
      const { pathname } = new URL(url);
      if (pathname.endsWith("/network-interfaces/")) return Response.json([]);
      if (pathname.endsWith("/name") || pathname.endsWith("/machine-type")) return new Response("lab");
      return new Response(null, { status: 404 });
    },
  });

  /** `127.0.0.1:NNNN` */
  get host(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}
