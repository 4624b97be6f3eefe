/** System calls, by the C library. Each throws SysError with the errno of exactly this call. */

import { dlopen, type Pointer, FFIType as T } from "bun:ffi";
import { constants } from "node:os";
import { errno } from "./errno.ts";
import { LIBC_PATH } from "./libc-path.ts";
import { OwnedFd } from "./owned.ts";
import { SysError } from "./sys-error.ts";

/** What is bound; test/abi holds it against the headers. */
export const LIBC_SYMBOLS = {
  open: { args: [T.ptr, T.i32, T.u32], returns: T.i32 },
  openat: { args: [T.i32, T.ptr, T.i32, T.u32], returns: T.i32 },
  close: { args: [T.i32], returns: T.i32 },
  fcntl: { args: [T.i32, T.i32, T.i32], returns: T.i32 },
  ioctl: { args: [T.i32, T.u64_fast, T.ptr], returns: T.i32 },
  read: { args: [T.i32, T.ptr, T.u64_fast], returns: T.i64_fast },
  write: { args: [T.i32, T.ptr, T.u64_fast], returns: T.i64_fast },
  setns: { args: [T.i32, T.i32], returns: T.i32 },
  recv: { args: [T.i32, T.ptr, T.u64_fast, T.i32], returns: T.i64_fast },
  poll: { args: [T.ptr, T.u64_fast, T.i32], returns: T.i32 },
  setsockopt: { args: [T.i32, T.i32, T.i32, T.ptr, T.u32], returns: T.i32 },
  memfd_create: { args: [T.ptr, T.u32], returns: T.i32 },
  madvise: { args: [T.ptr, T.u64_fast, T.i32], returns: T.i32 },
  abort: { args: [], returns: T.void },
} as const;

const { symbols: c } = dlopen(LIBC_PATH, LIBC_SYMBOLS);

const { EAGAIN, EINTR, EINVAL } = constants.errno;

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_CLOEXEC = 0o2000000;
const CLONE_NEWNET = 0x40000000;
const MFD_CLOEXEC = 1;
const F_DUPFD_CLOEXEC = 1030;
const MSG_PEEK = 0x2;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
const MADV_DONTNEED = 4;

/** madvise(MADV_DONTNEED): private changes to these pages are lost, what stands in a file comes back from there. */
export function forgetPages(address: number, lengthBytes: number): void {
  if (c.madvise(address as Pointer, lengthBytes, MADV_DONTNEED) < 0)
    throw new SysError("madvise", errno(), `the ${lengthBytes} bytes at 0x${address.toString(16)}`);
}

/** Text as C has it: UTF-8, ended by a zero byte. */
export function cString(text: string): Uint8Array {
  if (text.includes("\0")) throw new Error(`${JSON.stringify(text)} holds a zero byte and cannot be passed on.`);
  return Buffer.from(`${text}\0`);
}

export function openFile(path: string, flags: number): OwnedFd {
  const fd = c.open(cString(path), flags | O_CLOEXEC, 0);
  if (fd < 0) throw new SysError("open", errno(), path);
  return new OwnedFd(fd, c.close);
}

/** A second descriptor of the same open file. */
export function duplicate(fd: number): OwnedFd {
  const copy = c.fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw new SysError("fcntl(F_DUPFD_CLOEXEC)", errno(), `descriptor ${fd}`);
  return new OwnedFd(copy, c.close);
}

/** A file in memory with these bytes, executable also where every file system is mounted noexec. */
export function memoryFile(name: string, bytes: Uint8Array): OwnedFd {
  const fd = c.memfd_create(cString(name), MFD_CLOEXEC);
  if (fd < 0) throw new SysError("memfd_create", errno(), name);
  const file = new OwnedFd(fd, c.close);
  for (let at = 0; at < bytes.length; ) at += writeSome(fd, bytes.subarray(at), name);
  return file;
}

/** How many of the bytes were written, at least one. */
export function writeSome(fd: number, bytes: Uint8Array, target: string): number {
  const written = Number(c.write(fd, bytes, bytes.length));
  if (written < 0) throw new SysError("write", errno(), target);
  return written;
}

/** How many bytes were put into `buffer`; 0 at the end. */
export function readSome(fd: number, buffer: Uint8Array, target: string): number {
  const length = Number(c.read(fd, buffer, buffer.length));
  if (length < 0) throw new SysError("read", errno(), target);
  return length;
}

/**
 * Opens a file of an open directory, reads once and closes it: how many bytes were put into `buffer`, or -1. `name` ends
 * with a zero byte. Without an owner and an error for each: for those who read many and expect that some refuse.
 */
export function tryReadFile(directory: number, name: Uint8Array, buffer: Uint8Array): number {
  const fd = c.openat(directory, name, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return -1;
  const length = Number(c.read(fd, buffer, buffer.length));
  c.close(fd);
  return length;
}

/** Takes this thread into a network namespace. EINVAL: `fd` is not one, and the message says what it is. */
export function enterNetns(fd: number, target: string): void {
  if (c.setns(fd, CLONE_NEWNET) >= 0) return;
  const code = errno();
  throw new SysError("setns", code, target, code === EINVAL ? notNetns(fd) : undefined);
}

/** linux/nsfs.h, and the CLONE_NEW* that NS_GET_NSTYPE answers with. */
const NS_GET_NSTYPE = 0xb703;
const NAMESPACES: Readonly<Record<number, string>> = {
  [0x80]: "time",
  [0x20000]: "mount",
  [0x2000000]: "cgroup",
  [0x4000000]: "UTS",
  [0x8000000]: "IPC",
  [0x10000000]: "user",
  [0x20000000]: "PID",
};

function notNetns(fd: number): string | undefined {
  const type = c.ioctl(fd, NS_GET_NSTYPE, null);
  if (type < 0) return "it is a file and no namespace: one that was mounted there is gone";
  return NAMESPACES[type] === undefined ? undefined : `it is a ${NAMESPACES[type]} namespace, not a network namespace`;
}

/** Ends the process at once, with a core dump where those are on. */
export function abortProcess(): never {
  c.abort();
  throw new Error("abort() came back.");
}

/** Length of the next datagram, which stays in the queue; `undefined` when there is none. */
export function nextDatagramLength(fd: number, target: string): number | undefined {
  return datagram(c.recv(fd, null, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT), target);
}

/** Takes the next datagram. A length beyond that of `buffer` means that the rest is lost. */
export function takeDatagram(fd: number, buffer: Uint8Array, target: string): number | undefined {
  return datagram(c.recv(fd, buffer, buffer.length, MSG_TRUNC | MSG_DONTWAIT), target);
}

function datagram(result: number | bigint, target: string): number | undefined {
  const length = Number(result);
  if (length >= 0) return length;
  const code = errno();
  if (code === EAGAIN || code === EINTR) return undefined;
  throw new SysError("recv", code, target);
}

/** Waits until there is something to receive. False when `limitMs` passed, or a signal came, without. */
export function waitReadable(fd: number, limitMs: number, target: string): boolean {
  const request = new Uint8Array(8); // struct pollfd {int fd; short events, revents}
  const view = new DataView(request.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, POLLIN, true);
  const ready = c.poll(request, 1, limitMs);
  if (ready >= 0) return ready > 0;
  const code = errno();
  if (code === EINTR) return false;
  throw new SysError("poll", code, target);
}

/** Sets a socket option of type int; answers the errno, 0 when it was set. */
export function trySocketOption(fd: number, level: number, option: number, value: number): number {
  return c.setsockopt(fd, level, option, new Int32Array([value]), 4) < 0 ? errno() : 0;
}
