/** OCI images without a registry: one layer, written as the layout archive that `ctr images import` takes. */
import { createHash } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type TarEntry, tarArchive } from "./tar.ts";

export interface Image {
  /** `localhost/name:tag`. */
  readonly reference: string;
  readonly entrypoint: readonly string[];
  readonly files: readonly TarEntry[];
  /** Default true. An image that is imported on the spot is made and unpacked sooner without. */
  readonly compressed?: boolean;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

const MEDIA = "application/vnd.oci.image.";
const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "amd64";

/** Writes an archive with all the images to `path`, whole or not at all. */
export function writeImages(path: string, images: readonly Image[]): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, imageArchive(images));
  renameSync(temporary, path);
}

/** The same input gives the same bytes. */
function imageArchive(images: readonly Image[]): Uint8Array {
  const blobs = new Map<string, Uint8Array>();
  const put = (bytes: Uint8Array, mediaType: string, annotations?: Readonly<Record<string, string>>): Descriptor => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { mediaType: MEDIA + mediaType, digest, size: bytes.length, ...(annotations && { annotations }) };
  };
  const manifests = images.map((image) => {
    const layer = tarArchive(image.files);
    const config = put(
      json({
        architecture: ARCHITECTURE,
        os: "linux",
        config: { Env: ["PATH=/bin:/sbin:/usr/bin"], Entrypoint: image.entrypoint },
        rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
        history: [{ created: "1970-01-01T00:00:00Z" }],
      }),
      "config.v1+json",
    );
    const layers =
      image.compressed === false
        ? [put(layer, "layer.v1.tar")]
        : [put(Bun.gzipSync(Buffer.from(layer)), "layer.v1.tar+gzip")];
    const manifest = { schemaVersion: 2, mediaType: `${MEDIA}manifest.v1+json`, config, layers };
    return put(json(manifest), "manifest.v1+json", { "io.containerd.image.name": image.reference });
  });
  const entries: TarEntry[] = [
    ...[...blobs].map(([digest, bytes]) => ({ path: `blobs/sha256/${digest.slice("sha256:".length)}`, bytes })),
    { path: "oci-layout", bytes: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", bytes: json({ schemaVersion: 2, mediaType: `${MEDIA}index.v1+json`, manifests }) },
  ];
  return tarArchive(entries);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
