/** Takes programs off a link: XDP, TCX, and tc programs of kind `bpf`. */

import { BPF_LINK_TYPE_XDP, bpfLinkInfo, detachBpfLink, nextBpfLinkId, openBpfLink } from "../../ffi/bpf.ts";
import type { OwnedFd } from "../../ffi/owned.ts";
import { describeError } from "../lib/errors.ts";
import type { XdpMode } from "../netlink/link.ts";
import { requireLink } from "../netlink/links.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { getQdisc, removeFilter } from "../netlink/tc.ts";
import { detachTcx } from "../netlink/tcx.ts";
import { detachXdp } from "../netlink/xdp.ts";
import { accepting, EBUSY, ENOENT, isErrno } from "./errnos.ts";
import { type LinkPlace, readFilters, readTcx } from "./link-programs.ts";

export interface DetachRequest extends LinkPlace {
  readonly ifindex: number;
  /** Whether the program with this id is to go. */
  readonly isUnwanted: (programId: number) => boolean;
}

export interface Detached {
  /** What was taken off, one phrase for each. */
  readonly removed: readonly string[];
  /** One sentence for each that could not be. */
  readonly problems: readonly string[];
}

/** Tries each on its own. */
export function detachPrograms({ socket, inside, ifindex, isUnwanted }: DetachRequest): Detached {
  const removed: string[] = [];
  const problems: string[] = [];
  const take = (what: string, task: () => void) => {
    try {
      task();
      removed.push(what);
    } catch (error) {
      problems.push(`${what} cannot be detached: ${describeError(error)}`);
    }
  };
  const { xdpPrograms = {} } = requireLink(socket, ifindex);
  for (const [mode, programId] of Object.entries(xdpPrograms) as [XdpMode, number][])
    if (isUnwanted(programId)) take(`XDP program ${programId}`, () => removeXdp(socket, ifindex, mode, programId));
  for (const program of inside(() => readTcx(ifindex)))
    if (isUnwanted(program.programId))
      take(`TCX ${program.direction} program ${program.name || program.programId}`, () =>
        inside(() => detachTcx(ifindex, program)),
      );
  const entrance = getQdisc(socket, ifindex, "ingress");
  for (const filter of entrance === undefined ? [] : readFilters(socket, entrance))
    if (filter.kind === "bpf" && isUnwanted(filter.programId ?? 0))
      take(`tc program ${filter.name ?? filter.handle}`, () => accepting([ENOENT], () => removeFilter(socket, filter)));
  return { removed, problems };
}

function removeXdp(socket: NetlinkSocket, ifindex: number, mode: XdpMode, programId: number): void {
  try {
    detachXdp(socket, ifindex, mode);
  } catch (error) {
    if (!isErrno(error, EBUSY)) throw error;
    detachXdpLink(ifindex, programId);
  }
}

/**
 * Ends the bpf_link that holds this program at this link. A bpf_link tells the index but not the namespace of its link:
 * where two fit, neither is touched.
 */
function detachXdpLink(ifindex: number, programId: number): void {
  using opened = new DisposableStack();
  const fitting: OwnedFd[] = [];
  for (let id = nextBpfLinkId(0); id !== undefined; id = nextBpfLinkId(id)) {
    const link = tryOpen(id);
    if (link === undefined) continue;
    const info = bpfLinkInfo(opened.use(link));
    if (info.type === BPF_LINK_TYPE_XDP && info.ifindex === ifindex && info.programId === programId) fitting.push(link);
  }
  const [only, ...others] = fitting;
  if (only === undefined || others.length > 0)
    throw new Error(
      `${fitting.length} bpf_links hold program ${programId} at links with index ${ifindex}, in whatever namespaces: end the process that attached it`,
    );
  detachBpfLink(only);
}

/** `undefined` for one that ended in between. */
function tryOpen(id: number): OwnedFd | undefined {
  try {
    return openBpfLink(id);
  } catch (error) {
    if (isErrno(error, ENOENT)) return undefined;
    throw error;
  }
}
