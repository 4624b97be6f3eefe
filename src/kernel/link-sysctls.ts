/** The sysctls of one link, below `/proc/sys/net` of the namespace that the thread is in. */

import { readdirSync } from "node:fs";
import { readSmallFile, readSmallFiles, writeSmallFile } from "../../ffi/small-file.ts";
import { SysError } from "../../ffi/sys-error.ts";
import { ENOENT } from "./errnos.ts";
import type { LinkSysctl } from "./steps.ts";

let root = "/proc/sys/net";
const TABLES = [
  ["ipv4", "conf"],
  ["ipv6", "conf"],
  ["ipv4", "neigh"],
  ["ipv6", "neigh"],
] as const;

/**
 * Not state of their own: `mc_forwarding` is read-only, `mtu` of IPv6 follows the link's until someone lowers it (and
 * is set by the step for the MTU), the rest are older, coarser views of `*_ms` and `unres_qlen_bytes`: writing them
 * back would round what the finer one says.
 */
const SKIPPED: ReadonlySet<string> = new Set([
  "conf/mc_forwarding",
  "neigh/retrans_time",
  "neigh/base_reachable_time",
  "neigh/unres_qlen",
]);

const keys = new Map<string, readonly string[]>();

/** For a container, whose own `/proc/sys` is read-only: any procfs shows the namespace of the thread that opens. */
export function useProcRoot(procRoot: string): void {
  root = `${procRoot}/sys/net`;
}

/** All that can be read and written back. `linkMtu` tells whether the IPv6 MTU was lowered. */
export function readLinkSysctls(ifname: string, linkMtu: number): LinkSysctl[] {
  return TABLES.flatMap(([family, table]) => {
    const directory = `${root}/${family}/${table}/${ifname}`;
    const tableKeys = keysOf(family, table, directory);
    const values = readAll(directory, tableKeys);
    return tableKeys.flatMap((key, at) => {
      const value = values[at];
      if (value === undefined || (key === "mtu" && value === String(linkMtu))) return [];
      return [{ family, table, key, value }];
    });
  });
}

/** Throws SysError: ENOENT when the kernel has no such sysctl, EACCES, EINVAL. */
export function writeLinkSysctl(ifname: string, { family, table, key, value }: LinkSysctl): void {
  const path = `${root}/${family}/${table}/${ifname}/${key}`;
  if (readValue(path) !== value) writeSmallFile(path, value);
}

/** A sysctl of the whole namespace, below `/proc/sys/net`. Throws SysError. */
export function writeNamespaceSysctl(path: string, value: string): void {
  if (readValue(`${root}/${path}`) !== value) writeSmallFile(`${root}/${path}`, value);
}

/** The files are the same for every link of a kernel. A link without the protocol has no directory. */
function keysOf(family: string, table: string, directory: string): readonly string[] {
  const known = keys.get(`${family}/${table}`);
  if (known !== undefined) return known;
  const found = listDirectory(directory).filter((key) => !SKIPPED.has(`${table}/${key}`));
  if (found.length > 0) keys.set(`${family}/${table}`, found);
  return found;
}

function listDirectory(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** A link without the protocol has no directory. */
function readAll(directory: string, fileNames: readonly string[]): readonly (string | undefined)[] {
  try {
    return readSmallFiles(directory, fileNames);
  } catch (error) {
    if (error instanceof SysError && error.errno === ENOENT) return [];
    throw error;
  }
}

/** `undefined` for what is not there (ENOENT) or not set (`stable_secret`: EIO). */
function readValue(path: string): string | undefined {
  try {
    return readSmallFile(path);
  } catch (error) {
    if (error instanceof SysError) return undefined;
    throw error;
  }
}
