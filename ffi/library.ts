/**
 * Where native libraries come from: the host's own copy by absolute path, else the one within the executable. Never by a
 * bare name: the loader would end its search in the working directory, and load what it finds there with root's rights.
 */

import { existsSync } from "node:fs";
import { arch } from "node:os";
import { type EmbeddedName, embeddedLibrary } from "./embedded.ts";
import { memoryFile } from "./libc.ts";

const TRIPLET = arch() === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
/** Debian and its kin, then the Fedora way, then the rest. */
const FOLDERS = [`/lib/${TRIPLET}`, `/usr/lib/${TRIPLET}`, "/lib64", "/usr/lib64", "/usr/lib", "/lib"];

/** Absolute path of the host's copy; `undefined` when the host has none. */
export function hostLibrary(soname: string): string | undefined {
  return FOLDERS.map((folder) => `${folder}/${soname}`).find(existsSync);
}

const inMemory = new Map<string, string>();

/** Path of an embedded library; `undefined` in a program built without it. */
export function memoryLibrary(soname: EmbeddedName): string | undefined {
  const known = inMemory.get(soname);
  if (known !== undefined) return known;
  const bytes = embeddedLibrary(soname);
  if (bytes === undefined) return undefined;
  // Never closed: the loader knows libraries by their path, and would take the next file that gets this number for this
  // library.
  const path = `/proc/self/fd/${memoryFile(soname, bytes).release()}`;
  inMemory.set(soname, path);
  return path;
}

/** Opens by `open` the host's copy, or, where it is absent or of another system, the embedded one. */
export function openLibrary<T>(soname: EmbeddedName, open: (path: string) => T): T {
  const host = hostLibrary(soname);
  if (host !== undefined) {
    try {
      return open(host);
    } catch (cause) {
      const own = memoryLibrary(soname);
      if (own === undefined) throw new Error(`The host's ${host} cannot be loaded.`, { cause });
      return open(own);
    }
  }
  const own = memoryLibrary(soname);
  if (own !== undefined) return open(own);
  throw new Error(
    `${soname} is not on this host (looked in ${FOLDERS.join(", ")}) nor within this program: install libnl 3, Debian's libnl-3-200 and libnl-route-3-200.`,
  );
}
