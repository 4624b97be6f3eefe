/**
 * The image that the Containerfile describes, where no registry can be reached: the executable with the files of glibc
 * that it names, those of the same Debian release, and nothing else.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ARCHITECTURE } from "../runtime/debian-architecture.ts";
import { writeImages } from "../runtime/image.ts";
import { debianPackages } from "../runtime/packages.ts";
import type { TarEntry } from "../runtime/tar.ts";

/** As containerd writes out `netferry:latest`. */
export const NETFERRY_IMAGE = "docker.io/library/netferry:latest";

const PROJECT = join(import.meta.dir, "../../..");
const LIBRARIES = ["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0"];

/** Writes the archive for `importImages()` to `path`. The executable is the one with fault points where it was built. */
export async function writeNetferryImage(path: string): Promise<void> {
  const { libc6 } = await debianPackages("bookworm", ["libc6"]);
  const folder = join(libc6.root, "lib", ARCHITECTURE.triplet);
  const library = (to: string, name: string): TarEntry => ({
    path: `${to}/${name}`,
    bytes: readFileSync(join(folder, name)),
    mode: 0o755,
  });
  writeImages(path, [
    {
      reference: NETFERRY_IMAGE,
      entrypoint: ["/netferry"],
      compressed: false,
      files: [
        library("lib64", ARCHITECTURE.loader),
        ...[ARCHITECTURE.loader, ...LIBRARIES].map((name) => library("lib", name)),
        { path: "netferry", bytes: readFileSync(executable()), mode: 0o755 },
        { path: "dranet-hook", linkTo: "netferry" },
      ],
    },
  ]);
}

function executable(): string {
  const found = ["dist/netferry-faults", "dist/netferry"].map((name) => join(PROJECT, name)).find(existsSync);
  if (found === undefined) throw new Error("netferry is not built: run `./dev build faults`");
  return found;
}
