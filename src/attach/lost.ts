/** What the host had at a link and a stay in a pod has cost: nobody but its maker can make it again. Pure. */

import type { LinkSnapshot } from "../kernel/calls.ts";

/** One sentence for each. */
export function lostSentences(before: LinkSnapshot, now: LinkSnapshot): readonly string[] {
  return [...lostQdiscs(before, now), ...lostFilters(before, now), ...lostTcx(before, now), ...lostXdp(before, now)];
}

/** The kernel drops them, and the filters in them, with every move. */
function lostQdiscs(before: LinkSnapshot, now: LinkSnapshot): readonly string[] {
  return (before.programs?.qdiscs ?? [])
    .filter(({ kind, parent }) => !now.programs?.qdiscs.some((is) => is.kind === kind && is.parent === parent))
    .map(({ kind }) => `its queueing discipline ${kind} is gone, as a link loses it when it moves`);
}

function lostFilters(before: LinkSnapshot, now: LinkSnapshot): readonly string[] {
  const nameOf = ({ kind, name, handle }: { readonly kind: string; readonly name?: string; readonly handle: number }) =>
    `${kind} ${name ?? handle}`;
  const lost = (before.programs?.filters ?? []).filter(
    (was) =>
      !now.programs?.filters.some(
        (is) => is.parent === was.parent && is.priority === was.priority && nameOf(is) === nameOf(was),
      ),
  );
  return lost.length === 0
    ? []
    : [`its tc filters ${lost.map(nameOf).join(", ")} are gone, as a link loses them when it moves`];
}

function lostTcx(before: LinkSnapshot, now: LinkSnapshot): readonly string[] {
  return (before.programs?.tcx ?? [])
    .filter((was) => now.programs?.tcx.every((is) => is.programId !== was.programId || is.direction !== was.direction))
    .map(({ direction, name, programId }) => `its TCX ${direction} program ${name || programId} was detached`);
}

function lostXdp(before: LinkSnapshot, now: LinkSnapshot): readonly string[] {
  const { xdpPrograms = {} } = now.link;
  return Object.values(before.link.xdpPrograms ?? {})
    .filter((programId) => !Object.values(xdpPrograms).includes(programId))
    .map((programId) => `its XDP program ${programId} was detached`);
}
