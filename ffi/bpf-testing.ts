/** For tests: loads the smallest program there is, and attaches it in each of the ways that the kernel has. */

import { dlopen, ptr } from "bun:ffi";
import { BPF_SYMBOLS, BPF_XDP, SYS_bpf } from "./bpf.ts";
import { errno } from "./errno.ts";
import { cString } from "./libc.ts";
import { LIBC_PATH } from "./libc-path.ts";
import { OwnedFd } from "./owned.ts";
import { SysError } from "./sys-error.ts";

const { symbols: c } = dlopen(LIBC_PATH, BPF_SYMBOLS);
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_LINK_CREATE = 28;
const PROGRAM_TYPES = { schedCls: 3, xdp: 6 } as const;
/** XDP_PASS; TCX_NEXT, which for tc is TC_ACT_UNSPEC. */
const VERDICTS = { schedCls: -1, xdp: 2 } as const;
/** linux/if_link.h: veth has no other XDP that every kernel knows. */
const XDP_FLAGS_SKB_MODE = 2;

function call(command: number, name: string, fill: (attr: DataView) => void): number {
  const attr = new Uint8Array(72);
  fill(new DataView(attr.buffer));
  const result = Number(c.syscall(SYS_bpf, command, attr, attr.length));
  if (result < 0) throw new SysError(`bpf(${name})`, errno(), "a test's program");
  return result;
}

/** `r0 = <let it pass>; exit`, under a name of at most 15 bytes. */
export function loadProgram(type: keyof typeof PROGRAM_TYPES, name: string): OwnedFd {
  const instructions = new Uint8Array(16);
  const view = new DataView(instructions.buffer);
  view.setUint8(0, 0xb7); // BPF_ALU64 | BPF_MOV | BPF_K
  view.setInt32(4, VERDICTS[type], true);
  view.setUint8(8, 0x95); // BPF_JMP | BPF_EXIT
  const license = cString("GPL");
  const fd = call(BPF_PROG_LOAD, "PROG_LOAD", (attr) => {
    attr.setUint32(0, PROGRAM_TYPES[type], true);
    attr.setUint32(4, 2, true);
    attr.setBigUint64(8, BigInt(ptr(instructions)), true);
    attr.setBigUint64(16, BigInt(ptr(license)), true);
    for (const [at, byte] of Buffer.from(name).entries()) attr.setUint8(48 + at, byte);
  });
  return new OwnedFd(fd, c.close);
}

/** Without a bpf_link: the program stays when its descriptor is closed. */
export function attachProgram(ifindex: number, attachType: number, program: OwnedFd): void {
  call(BPF_PROG_ATTACH, "PROG_ATTACH", (attr) => {
    attr.setUint32(0, ifindex, true);
    attr.setUint32(4, program.fd, true);
    attr.setUint32(8, attachType, true);
  });
}

/** The program is there until the answer is closed. */
export function createBpfLink(ifindex: number, attachType: number, program: OwnedFd): OwnedFd {
  const fd = call(BPF_LINK_CREATE, "LINK_CREATE", (attr) => {
    attr.setUint32(0, program.fd, true);
    attr.setUint32(4, ifindex, true);
    attr.setUint32(8, attachType, true);
    if (attachType === BPF_XDP) attr.setUint32(12, XDP_FLAGS_SKB_MODE, true);
  });
  return new OwnedFd(fd, c.close);
}
