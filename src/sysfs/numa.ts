/** NUMA nodes as `/sys/devices/system/node` shows them (Documentation/ABI/stable/sysfs-devices-node). */

import { parseCpuList } from "../lib/cpu-list.ts";
import { listNames, readNumber, readText } from "./read.ts";

export interface NumaNode {
  readonly id: number;
  /** Ascending; none on a node that has memory alone. */
  readonly cpus: readonly number[];
  /** Socket of its first CPU. */
  readonly package?: number;
  /** By node id: the ACPI SLIT's relative distances, 10 to itself. */
  readonly distances: Readonly<Record<number, number>>;
  readonly hasMemory: boolean;
}

/** By id. None where the kernel was built without NUMA. */
export function readNumaNodes(sysfsRoot: string): NumaNode[] {
  const directory = `${sysfsRoot}/devices/system/node`;
  const ids = listNames(directory)
    .flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  const withMemory = parseCpuList(readText(`${directory}/has_memory`) ?? "");
  return ids.map((id) => ({
    ...readNode(sysfsRoot, `${directory}/node${id}`, id, ids),
    hasMemory: withMemory?.includes(id) ?? false,
  }));
}

function readNode(
  sysfsRoot: string,
  directory: string,
  id: number,
  ids: readonly number[],
): Omit<NumaNode, "hasMemory"> {
  const cpus = parseCpuList(readText(`${directory}/cpulist`) ?? "") ?? [];
  // One column for each node that is online, in the order of their ids.
  const columns = (readText(`${directory}/distance`) ?? "").split(/\s+/).map(Number);
  const socket =
    cpus[0] === undefined
      ? undefined
      : readNumber(`${sysfsRoot}/devices/system/cpu/cpu${cpus[0]}/topology/physical_package_id`);
  return {
    id,
    cpus,
    ...(socket === undefined ? {} : { package: socket }),
    distances: Object.fromEntries(ids.flatMap((other, at) => (columns[at] ? [[other, columns[at]]] : []))),
  };
}

/**
 * The node, then those of its socket that are nearest to it: the list form of `resource.kubernetes.io/numaNode`
 * (KEP-6072). A socket that is cut into several nodes (sub-NUMA clustering, NPS) is one place for its devices.
 */
export function nearNodes(id: number, nodes: readonly NumaNode[]): readonly number[] {
  const own = nodes.find((node) => node.id === id);
  if (own?.package === undefined) return [id];
  const siblings = nodes.filter((node) => node.id !== id && node.package === own.package);
  const distance = ({ id: other }: NumaNode) => own.distances[other] ?? Number.POSITIVE_INFINITY;
  const least = Math.min(...siblings.map(distance));
  return [id, ...siblings.filter((node) => distance(node) === least).map((node) => node.id)];
}
