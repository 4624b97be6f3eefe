/** Where a container may run so that it is at its devices: pure. */

import type { NumaPlace } from "../inventory/device.ts";
import { formatCpuList, parseCpuList } from "../lib/cpu-list.ts";

/** As the kernel lists them; empty: no limit but the cgroups above. */
export interface CpuSet {
  readonly cpus: string;
  readonly mems: string;
}

export interface Alignment {
  /** What to set, of what is not so already. */
  readonly adjust: Partial<CpuSet>;
  /** Why the container does not run at its devices, or not with its memory there. */
  readonly problem?: string;
}

/** `places` are those of all devices of the container that ask for it: with several nodes it may run on any of these. */
export function alignCpus(places: readonly NumaPlace[], current: CpuSet): Alignment {
  const nodes = listOf(places.map(({ node }) => node));
  const named = `NUMA node ${formatCpuList(nodes)}`;
  const there = listOf(places.flatMap(({ cpus }) => parseCpuList(cpus) ?? []));
  if (there.length === 0) return { adjust: {}, problem: `${named} has no CPUs` };
  const cpus = narrowed(there, current.cpus);
  if (cpus === undefined)
    return {
      adjust: {},
      problem: `it is bound to CPUs ${current.cpus}, and ${named} has CPUs ${formatCpuList(there)}`,
    };
  // Without memory of its own a node uses that of the nearest: what the kernel does unasked.
  const withMemory = listOf(places.flatMap(({ node, hasMemory }) => (hasMemory ? [node] : [])));
  const mems = withMemory.length === 0 ? current.mems : narrowed(withMemory, current.mems);
  return {
    adjust: {
      ...(cpus === current.cpus ? {} : { cpus }),
      ...(mems === undefined || mems === current.mems ? {} : { mems }),
    },
    ...(mems === undefined
      ? { problem: `its memory is bound to nodes ${current.mems}, and its devices are at ${named}` }
      : {}),
  };
}

/** Those of `wanted` that `current` allows; `undefined` when that is none, or `current` is no list. */
function narrowed(wanted: readonly number[], current: string): string | undefined {
  const allowed = current === "" ? undefined : (parseCpuList(current) ?? []);
  const both = allowed === undefined ? wanted : wanted.filter((id) => allowed.includes(id));
  return both.length === 0 ? undefined : formatCpuList(both);
}

function listOf(ids: readonly number[]): readonly number[] {
  return [...new Set(ids)].sort((a, b) => a - b);
}
