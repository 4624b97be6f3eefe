/** The executable's own code in memory: most of what runs at start never runs again. */

import { readFileSync, readlinkSync } from "node:fs";
import { forgetPages } from "./libc.ts";

export interface Mapping {
  readonly address: number;
  readonly lengthBytes: number;
}

/**
 * Unmaps the pages of the executable's code, and answers how many bytes of address space that is. They stay in the page
 * cache, shared with whoever runs the same file; each comes back by a minor fault when it is next needed.
 */
export function unmapOwnCode(): number {
  const mappings = codeOf(readlinkSync("/proc/self/exe"), readFileSync("/proc/self/maps", "utf8"));
  for (const { address, lengthBytes } of mappings) forgetPages(address, lengthBytes);
  return mappings.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

/**
 * What `maps` (proc_pid_maps(5)) shows of the file's code. Only what nobody can have written: pages that were changed
 * would come back as the file has them.
 */
export function codeOf(path: string, maps: string): Mapping[] {
  return maps.split("\n").flatMap((line) => {
    const [, from, to, file] = /^([0-9a-f]+)-([0-9a-f]+) r-xp [0-9a-f]+ \S+ \d+ +(.+)$/.exec(line) ?? [];
    if (from === undefined || to === undefined || file !== path) return [];
    const address = Number.parseInt(from, 16);
    return { address, lengthBytes: Number.parseInt(to, 16) - address };
  });
}
