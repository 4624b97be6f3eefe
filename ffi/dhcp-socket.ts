/**
 * The socket that a DHCP client speaks by (RFC 2131). It belongs to the namespace in which it was opened, wherever its
 * thread is later.
 */

import { dlopen, ptr, FFIType as T } from "bun:ffi";
import { constants } from "node:os";
import { errno } from "./errno.ts";
import { LIBC_PATH } from "./libc-path.ts";
import { OwnedFd } from "./owned.ts";
import { SysError } from "./sys-error.ts";

const SYMBOLS = {
  socket: { args: [T.i32, T.i32, T.i32], returns: T.i32 },
  bind: { args: [T.i32, T.ptr, T.u32], returns: T.i32 },
  setsockopt: { args: [T.i32, T.i32, T.i32, T.ptr, T.u32], returns: T.i32 },
  send: { args: [T.i32, T.ptr, T.u64_fast, T.i32], returns: T.i64_fast },
  close: { args: [T.i32], returns: T.i32 },
} as const;

let opened: ReturnType<typeof open> | undefined;

/** Bound on first use: every kernel Worker loads this file, few speak DHCP. */
function libc(): ReturnType<typeof open> {
  opened ??= open();
  return opened;
}

function open() {
  return dlopen(LIBC_PATH, SYMBOLS).symbols;
}

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const MSG_NOSIGNAL = 0x4000;
const ETH_P_IP = 0x0800;
export const BOOTPS_PORT = 67;
export const BOOTPC_PORT = 68;

/**
 * Classic BPF over an Ethernet frame (linux/filter.h: code, jt, jf, k): the first fragment of an IPv4 packet, UDP, to the
 * client's port. A busy link's other packets do not wake us.
 */
const TO_CLIENT: readonly (readonly [code: number, jt: number, jf: number, k: number])[] = [
  [0x28, 0, 0, 12], // ldh ethertype
  [0x15, 0, 8, ETH_P_IP],
  [0x30, 0, 0, 23], // ldb protocol
  [0x15, 0, 6, 17],
  [0x28, 0, 0, 20], // ldh fragment
  [0x45, 4, 0, 0x1fff],
  [0xb1, 0, 0, 14], // ldxb length of the IP header
  [0x48, 0, 0, 16], // ldh destination port
  [0x15, 0, 1, BOOTPC_PORT],
  [0x06, 0, 0, 0xffff], // accept
  [0x06, 0, 0, 0], // drop
];

/**
 * Hears DHCP servers in whole Ethernet frames, and sends such, over one link, past the addresses, routes and filters of
 * its namespace. Throws SysError.
 */
export function openPacketSocket(ifindex: number): OwnedFd {
  const target = `a packet socket on link ${ifindex}`;
  const c = libc();
  // Without a protocol it hears nothing until it is bound: no frame slips by the filter.
  const fd = c.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    const code = errno();
    throw new SysError("socket", code, target, code === constants.errno.EPERM ? "it needs CAP_NET_RAW" : undefined);
  }
  using owned = new DisposableStack();
  const handle = owned.use(new OwnedFd(fd, c.close));
  attachFilter(fd, target);
  const address = new Uint8Array(20); // struct sockaddr_ll {u16 family; be16 protocol; i32 ifindex; …}
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_IP);
  view.setInt32(4, ifindex, true);
  if (c.bind(fd, address, address.length) < 0) throw new SysError("bind", errno(), target);
  owned.move();
  return handle;
}

/** Sends one datagram, or frame. Throws SysError (ENETDOWN: the link is down). */
export function sendDatagram(fd: number, bytes: Uint8Array, target: string): void {
  if (libc().send(fd, bytes, bytes.length, MSG_NOSIGNAL) < 0) throw new SysError("send", errno(), target);
}

/** Takes over a descriptor that another thread opened. */
export function adoptDescriptor(fd: number): OwnedFd {
  return new OwnedFd(fd, libc().close);
}

function attachFilter(fd: number, target: string): void {
  const program = new Uint8Array(TO_CLIENT.length * 8); // struct sock_filter {u16 code; u8 jt, jf; u32 k}
  const view = new DataView(program.buffer);
  TO_CLIENT.forEach(([code, jt, jf, k], at) => {
    view.setUint16(at * 8, code, true);
    view.setUint8(at * 8 + 2, jt);
    view.setUint8(at * 8 + 3, jf);
    view.setUint32(at * 8 + 4, k, true);
  });
  const descriptor = new BigUint64Array(2); // struct sock_fprog {u16 len; struct sock_filter *filter}
  descriptor[0] = BigInt(TO_CLIENT.length);
  descriptor[1] = BigInt(ptr(program));
  if (libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, descriptor, 16) < 0)
    throw new SysError("setsockopt(SO_ATTACH_FILTER)", errno(), target);
}
