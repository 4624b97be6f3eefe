/**
 * bpf(2): which programs are at a link, and detaching them. What names a link by its index means the namespace that the
 * calling thread is in. Each function throws SysError with the errno of its own call.
 */

import { dlopen, ptr, FFIType as T } from "bun:ffi";
import { arch, constants } from "node:os";
import { errno } from "./errno.ts";
import { LIBC_PATH } from "./libc-path.ts";
import { OwnedFd } from "./owned.ts";
import { SysError } from "./sys-error.ts";

/** `long syscall(long, ...)` has the arguments of bpf(2) behind its number. */
export const BPF_SYMBOLS = {
  syscall: { args: [T.i64_fast, T.i32, T.ptr, T.u32], returns: T.i64_fast },
  close: { args: [T.i32], returns: T.i32 },
} as const;

const { symbols: c } = dlopen(LIBC_PATH, BPF_SYMBOLS);

/** asm/unistd.h of x86-64 and asm-generic/unistd.h, which arm64 uses. */
export const SYS_bpf = arch() === "arm64" ? 280 : 321;

/** linux/bpf.h, enum bpf_cmd. */
const BPF_PROG_DETACH = 9;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_OBJ_GET_INFO_BY_FD = 15;
const BPF_PROG_QUERY = 16;
const BPF_LINK_GET_FD_BY_ID = 30;
const BPF_LINK_GET_NEXT_ID = 31;
const BPF_LINK_DETACH = 34;

/** enum bpf_attach_type */
export const BPF_XDP = 37;
export const BPF_TCX_INGRESS = 46;
export const BPF_TCX_EGRESS = 47;

/** enum bpf_link_type */
export const BPF_LINK_TYPE_XDP = 6;
export const BPF_LINK_TYPE_TCX = 11;

/** Bytes of union bpf_attr that are used here, and of the two structs that the kernel fills. */
const ATTR_BYTES = 64;
const PROG_INFO_BYTES = 80;
const LINK_INFO_BYTES = 24;
const NAME_OFFSET = 64;
const NAME_BYTES = 16;

/** One for all calls of this thread: a scan makes thousands. */
const attr = new Uint8Array(ATTR_BYTES);
const fields = new DataView(attr.buffer);

/** What the kernel answers; a negative errno when it refuses. */
function tryCall(command: number): number {
  const result = Number(c.syscall(SYS_bpf, command, attr, ATTR_BYTES));
  return result < 0 ? -errno() : result;
}

function call(command: number, name: string, target: string): number {
  const result = tryCall(command);
  if (result < 0) throw new SysError(`bpf(${name})`, -result, target);
  return result;
}

/** The caller keeps the array until the call is made. */
function setAddress(offset: number, array: Uint8Array | Uint32Array): void {
  fields.setBigUint64(offset, BigInt(ptr(array)), true);
}

export interface AttachedProgram {
  readonly programId: number;
  /** The bpf_link that holds it there; 0 for one that was attached without. */
  readonly linkId: number;
}

/** BPF_MPROG_MAX (kernel/bpf/mprog.c): no link has more. */
const MAX_PROGRAMS = 64;
const programIds = new Uint32Array(MAX_PROGRAMS);
const linkIds = new Uint32Array(MAX_PROGRAMS);
const NONE: readonly AttachedProgram[] = [];

/**
 * The programs at a link, in the order in which they run. EINVAL: the kernel does not know this attach type (TCX came
 * with Linux 6.6); ENODEV: no such link; EPERM.
 */
export function queryPrograms(ifindex: number, attachType: number): readonly AttachedProgram[] {
  setQuery(ifindex, attachType);
  // Without room for them the kernel tells how many there are: at nearly all links of a host none.
  if (countPrograms(ifindex) === 0) return NONE;
  setQuery(ifindex, attachType);
  setAddress(16, programIds);
  fields.setUint32(24, MAX_PROGRAMS, true);
  setAddress(40, linkIds);
  const length = countPrograms(ifindex);
  return Array.from({ length }, (_, at) => ({ programId: programIds[at] ?? 0, linkId: linkIds[at] ?? 0 }));
}

/** struct { target_ifindex; attach_type; query_flags; attach_flags; prog_ids; count; …; link_ids } of union bpf_attr. */
function setQuery(ifindex: number, attachType: number): void {
  attr.fill(0);
  fields.setUint32(0, ifindex, true);
  fields.setUint32(4, attachType, true);
}

function countPrograms(ifindex: number): number {
  call(BPF_PROG_QUERY, "PROG_QUERY", `link ${ifindex}`);
  return fields.getUint32(24, true);
}

/** A descriptor of the program with this id. ENOENT: it is gone; EPERM: needs CAP_SYS_ADMIN. */
export function openProgram(id: number): OwnedFd {
  return openById(BPF_PROG_GET_FD_BY_ID, "PROG_GET_FD_BY_ID", id, `program ${id}`);
}

/** A descriptor of the bpf_link with this id. ENOENT: it is gone; EPERM: needs CAP_SYS_ADMIN. */
export function openBpfLink(id: number): OwnedFd {
  return openById(BPF_LINK_GET_FD_BY_ID, "LINK_GET_FD_BY_ID", id, `bpf_link ${id}`);
}

function openById(command: number, name: string, id: number, target: string): OwnedFd {
  attr.fill(0);
  fields.setUint32(0, id, true);
  return new OwnedFd(call(command, name, target), c.close);
}

/** Name of a program, up to 15 bytes; empty when its loader gave none. */
export function programName(program: OwnedFd): string {
  const info = readInfo(program, PROG_INFO_BYTES, "a program");
  const end = info.indexOf(0, NAME_OFFSET);
  const limit = NAME_OFFSET + NAME_BYTES;
  return Buffer.from(info.buffer).toString("utf8", NAME_OFFSET, end < 0 || end > limit ? limit : end);
}

export interface BpfLinkInfo {
  readonly type: number;
  readonly id: number;
  readonly programId: number;
  /** Of XDP and TCX links: the network link, by its index in whatever namespace that is in; 0 when detached. */
  readonly ifindex: number;
}

export function bpfLinkInfo(link: OwnedFd): BpfLinkInfo {
  const view = new DataView(readInfo(link, LINK_INFO_BYTES, "a bpf_link").buffer);
  return {
    type: view.getUint32(0, true),
    id: view.getUint32(4, true),
    programId: view.getUint32(8, true),
    ifindex: view.getUint32(16, true),
  };
}

function readInfo(object: OwnedFd, bytes: number, target: string): Uint8Array<ArrayBuffer> {
  const info = new Uint8Array(bytes);
  attr.fill(0);
  fields.setUint32(0, object.fd, true);
  fields.setUint32(4, bytes, true);
  setAddress(8, info);
  call(BPF_OBJ_GET_INFO_BY_FD, "OBJ_GET_INFO_BY_FD", target);
  return info;
}

/** The bpf_link after that with this id, of the whole system; `undefined` after the last. Begin with 0. */
export function nextBpfLinkId(after: number): number | undefined {
  attr.fill(0);
  fields.setUint32(0, after, true);
  const result = tryCall(BPF_LINK_GET_NEXT_ID);
  if (result === -constants.errno.ENOENT) return undefined;
  if (result < 0) throw new SysError("bpf(LINK_GET_NEXT_ID)", -result, `after ${after}`);
  return fields.getUint32(4, true);
}

/** Takes the program from where the bpf_link holds it; the object stays for who has it. EOPNOTSUPP: not of this type. */
export function detachBpfLink(link: OwnedFd): void {
  attr.fill(0);
  fields.setUint32(0, link.fd, true);
  call(BPF_LINK_DETACH, "LINK_DETACH", "a bpf_link");
}

/** Detaches a program that no bpf_link holds. ENOENT: it is not there; EBUSY: a bpf_link holds it. */
export function detachProgram(ifindex: number, attachType: number, program: OwnedFd): void {
  attr.fill(0);
  fields.setUint32(0, ifindex, true);
  fields.setUint32(4, program.fd, true);
  fields.setUint32(8, attachType, true);
  call(BPF_PROG_DETACH, "PROG_DETACH", `link ${ifindex}`);
}
