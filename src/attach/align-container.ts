import type { ClaimDevice } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import type { Logger } from "../lib/log.ts";
import { alignCpus, type CpuSet } from "./align-cpus.ts";
import { type AttachObserver, logFields } from "./parts.ts";

export interface AlignParts {
  readonly store: ClaimStore;
  readonly observer: AttachObserver;
  readonly log: Logger;
}

/**
 * What to set of a new container's CPUs and memory nodes, for those of `records`, its devices, that ask for it. The
 * outcome stands in their records, so that a condition tells it.
 */
export function alignContainer(
  { store, observer, log }: AlignParts,
  records: readonly ClaimDevice[],
  container: { readonly name: string } & CpuSet,
): Partial<CpuSet> {
  const concerned = records.filter((record) => record.alignsCpus === true);
  if (concerned.length === 0) return {};
  const places = concerned.flatMap(({ published }) => published.place ?? []);
  const { adjust, problem } = places.length === 0 ? { adjust: {} } : alignCpus(places, container);
  for (const record of concerned) {
    const { attachment, published } = record;
    if (attachment === undefined) continue;
    const why = published.place === undefined ? "the NUMA node of the device is not known" : problem;
    if (why !== undefined)
      log.warn("container is not aligned with its device", {
        ...logFields(record),
        container: container.name,
        reason: why,
      });
    const unaligned = { ...attachment.unaligned, [container.name]: why ?? "" };
    const decided: ClaimDevice = { ...record, attachment: { ...attachment, unaligned } };
    store.put([decided]);
    observer.cpusDecided?.(decided);
  }
  return adjust;
}
