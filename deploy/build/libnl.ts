/** libnl of one architecture, from that architecture's Debian packages: pinned, verified, kept in `.cache`. */

import { existsSync, mkdirSync, realpathSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { ARCHITECTURES, type Architecture, elfMachine } from "./architecture.ts";
import { runCommand } from "./command.ts";
import pins from "./pins.json";

/** Sonames in the order in which they must be loaded: libnl-route finds libnl by its being there. */
export const LIBRARIES = ["libnl-3.so.200", "libnl-route-3.so.200"] as const;

export interface EmbeddedFile {
  readonly soname: string;
  readonly path: string;
}

export async function fetchLibnl(architecture: Architecture, cache: string): Promise<EmbeddedFile[]> {
  const root = join(cache, "libnl", architecture);
  for (const pin of pins.libnl.packages[architecture]) {
    const archive = join(cache, "libnl", basename(pin.path));
    await fetchPackage(pin, archive);
    await runCommand(["dpkg-deb", "-x", archive, root]);
  }
  return LIBRARIES.map((soname) => ({ soname, path: findLibrary(root, soname, architecture) }));
}

async function fetchPackage(pin: { readonly path: string; readonly sha256: string }, archive: string): Promise<void> {
  if (existsSync(archive) && (await sha256Of(archive)) === pin.sha256) return;
  mkdirSync(join(archive, ".."), { recursive: true });
  rmSync(archive, { force: true });
  // apt's own fetcher: it knows the machine's proxy, and refuses a file with another hash.
  const uri = `${await debianMirror()}${pin.path}`;
  await runCommand(["/usr/lib/apt/apt-helper", "download-file", uri, archive, `SHA256:${pin.sha256}`]);
  const sha256 = await sha256Of(archive);
  if (sha256 !== pin.sha256)
    throw new Error(`${uri} has SHA-256 ${sha256}, the pin says ${pin.sha256}; nothing is built from it.`);
}

/** The Debian mirror of the machine's own apt, with a slash at its end; `DEBIAN_MIRROR` overrides it. */
async function debianMirror(): Promise<string> {
  const own = process.env["DEBIAN_MIRROR"];
  if (own !== undefined && own !== "") return own.endsWith("/") ? own : `${own}/`;
  const format = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)";
  const targets = await runCommand(["apt-get", "indextargets", "--format", format, "Created-By: Packages"]);
  const rows = targets.split("\n").map((line) => line.split("|"));
  const main = rows.find(([origin, codename]) => origin === "Debian" && /^[a-z]+$/.test(codename ?? ""));
  if (main?.[2] === undefined) {
    throw new Error(
      "apt has no Debian mirror in its lists; run apt-get update, or set DEBIAN_MIRROR to a mirror's address.",
    );
  }
  return main[2];
}

function findLibrary(root: string, soname: string, architecture: Architecture): string {
  const [found] = new Bun.Glob(`**/${soname}`).scanSync({ cwd: root, absolute: true, onlyFiles: false });
  if (found === undefined) throw new Error(`${soname} is not in the packages of libnl for ${architecture}.`);
  return realpathSync(found);
}

/** Throws unless the file is an ELF library of the architecture: bundlers embed any file without a word. */
export async function checkElf(file: EmbeddedFile, architecture: Architecture): Promise<void> {
  const machine = elfMachine(await Bun.file(file.path).bytes());
  if (machine !== ARCHITECTURES[architecture].elfMachine) {
    throw new Error(`${file.path} has ELF machine ${machine}, not that of ${architecture}.`);
  }
}

async function sha256Of(path: string): Promise<string> {
  return new Bun.CryptoHasher("sha256").update(await Bun.file(path).bytes()).digest("hex");
}
