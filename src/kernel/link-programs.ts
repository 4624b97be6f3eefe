/** The programs and queueing disciplines at links: XDP stands in the link itself. */

import type { Sync } from "../../ffi/netns.ts";
import type { ProgramNames } from "../inventory/facts.ts";
import { NotSupportedError } from "../lib/errors.ts";
import { IFF_LOOPBACK, type Link } from "../netlink/link.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { getQdisc, listFilters, listQdiscs } from "../netlink/tc.ts";
import type { Filter, Qdisc } from "../netlink/tc-codec.ts";
import { listTcx, type TcxProgram } from "../netlink/tcx.ts";
import type { LinkPrograms } from "./calls.ts";
import { EINVAL, ENODEV, ENOENT, EOPNOTSUPP, isErrno } from "./errnos.ts";

export interface ScannedPrograms {
  /** By ifname; links without any are left out. */
  readonly programs: Readonly<Record<string, ProgramNames>>;
  /** Why TCX programs are not among them, where they are not. */
  readonly unseen: readonly string[];
}

/** Names of the tc and TCX programs of the links, which are those of the socket's namespace; the thread is in it. */
export function scanPrograms(socket: NetlinkSocket, links: readonly Link[]): ScannedPrograms {
  const filters = filterNames(socket);
  const tcx = tcxNames(links);
  const programs = links.flatMap(({ ifindex, ifname }) => {
    const [tcFilterNames, tcxProgramNames] = [filters.get(ifindex) ?? [], tcx.names.get(ifindex) ?? []];
    return tcFilterNames.length + tcxProgramNames.length === 0
      ? []
      : [[ifname, { tcFilterNames, tcxProgramNames }] as const];
  });
  return { programs: Object.fromEntries(programs), unseen: tcx.unseen };
}

/** One dump tells which links have a place for filters at all. */
function filterNames(socket: NetlinkSocket): ReadonlyMap<number, readonly string[]> {
  const names = new Map<number, readonly string[]>();
  for (const qdisc of orNone(() => listQdiscs(socket))) {
    if (!isEntrance(qdisc)) continue;
    const programs = orNone(() => listFilters(socket, qdisc)).filter(({ kind }) => kind === "bpf");
    // Classic bytecode has no name, and is a program all the same.
    if (programs.length > 0)
      names.set(
        qdisc.ifindex,
        programs.map(({ name = "" }) => name),
      );
  }
  return names;
}

function tcxNames(links: readonly Link[]): {
  readonly names: ReadonlyMap<number, readonly string[]>;
  readonly unseen: readonly string[];
} {
  const names = new Map<number, readonly string[]>();
  try {
    for (const { ifindex, flags } of links) {
      if ((flags & IFF_LOOPBACK) !== 0) continue;
      const programs = listTcx(ifindex);
      if (programs.length > 0)
        names.set(
          ifindex,
          programs.map(({ name }) => name),
        );
    }
  } catch (error) {
    if (!(error instanceof NotSupportedError)) throw error;
    return { names, unseen: [error.message] };
  }
  return { names, unseen: [] };
}

/** Where a link is: a route socket of its namespace, and the way of the thread into it, for bpf(2). */
export interface LinkPlace {
  readonly socket: NetlinkSocket;
  readonly inside: <T>(task: () => Sync<T>) => Sync<T>;
}

/** What is at one link. */
export function readLinkPrograms({ socket, inside }: LinkPlace, ifindex: number): LinkPrograms {
  const entrance = getQdisc(socket, ifindex, "ingress");
  const root = getQdisc(socket, ifindex, "root");
  return {
    tcx: inside(() => readTcx(ifindex)),
    // Without a handle it is the kernel's default, which it makes again.
    qdiscs: [entrance, root].filter((qdisc): qdisc is Qdisc => qdisc !== undefined && qdisc.handle !== 0),
    filters: entrance === undefined ? [] : readFilters(socket, entrance),
  };
}

export function readFilters(socket: NetlinkSocket, entrance: Qdisc): readonly Filter[] {
  return orNone(() => listFilters(socket, entrance));
}

/** Of the namespace that the thread is in; none on a kernel without. */
export function readTcx(ifindex: number): TcxProgram[] {
  try {
    return listTcx(ifindex);
  } catch (error) {
    if (error instanceof NotSupportedError) return [];
    throw error;
  }
}

function isEntrance({ kind }: Qdisc): boolean {
  return kind === "clsact" || kind === "ingress";
}

/** The link went away in between, or the kernel has no traffic control. */
function orNone<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read();
  } catch (error) {
    if (isErrno(error, ENODEV, ENOENT, EINVAL, EOPNOTSUPP)) return [];
    throw error;
  }
}
