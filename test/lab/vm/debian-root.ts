/** Folders with Debian in them, made by mmdebstrap from the mirror of this machine's own apt. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { command } from "../runtime/command.ts";
import { debianMirror } from "../runtime/packages.ts";
import { makeFolder, VM_CACHE } from "./cache.ts";

export interface DebianRoot {
  readonly name: string;
  readonly packages: readonly string[];
  /** `extract`: files alone, nothing is configured. `apt`: a small system that one can chroot into. */
  readonly variant: "extract" | "apt";
}

export const RELEASE = "trixie";
export const BACKPORTS = "trixie-backports";
/** Some hundred packages over a slow mirror. */
const LIMIT_MS = 15 * 60_000;

/** The folder, kept by its list of packages: it is as new as the day on which it was made. */
export async function debianRoot(root: DebianRoot): Promise<string> {
  const key = createHash("sha256").update(JSON.stringify(root)).digest("hex").slice(0, 12);
  const path = join(VM_CACHE, `${root.name}-${key}`);
  if (!existsSync(path)) await makeFolder(path, (folder) => makeDebianRoot(root, folder));
  return path;
}

export async function makeDebianRoot({ packages, variant }: DebianRoot, folder: string): Promise<void> {
  const mirror = await debianMirror();
  await command(
    [
      ...["mmdebstrap", "--mode=root", `--variant=${variant}`, "--format=directory", "--quiet"],
      ...["--aptopt=APT::Install-Recommends false", "--aptopt=Acquire::Retries 3", `--include=${packages.join(",")}`],
      ...[RELEASE, folder, `deb ${mirror} ${RELEASE} main`, `deb ${mirror} ${BACKPORTS} main`],
    ],
    { limitMs: LIMIT_MS },
  );
}
