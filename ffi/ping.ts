/** ICMP echo (RFC 792), as `ping` does it, over a raw socket: it belongs to the namespace in which it was opened. */

import { dlopen, FFIType as T } from "bun:ffi";
import { errno } from "./errno.ts";
import { takeDatagram, waitReadable } from "./libc.ts";
import { LIBC_PATH } from "./libc-path.ts";
import { OwnedFd } from "./owned.ts";
import { SysError } from "./sys-error.ts";

const { symbols: c } = dlopen(LIBC_PATH, {
  socket: { args: [T.i32, T.i32, T.i32], returns: T.i32 },
  sendto: { args: [T.i32, T.ptr, T.u64_fast, T.i32, T.ptr, T.u32], returns: T.i64_fast },
  close: { args: [T.i32], returns: T.i32 },
});

const AF_INET = 2;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_ICMP = 1;
const ECHO_REQUEST = 8;
const ECHO_REPLY = 0;
const HEADER_BYTES = 8;
const REQUEST_BYTES = 64;

/** Needs CAP_NET_RAW. Blocks its thread while it waits. */
export class EchoSocket implements Disposable {
  readonly #socket: OwnedFd;
  readonly #identifier = process.pid & 0xffff;
  readonly #buffer = new Uint8Array(2048);
  #sequence = 0;

  /** Throws SysError (EPERM). */
  constructor() {
    const fd = c.socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd < 0) throw new SysError("socket", errno(), "for ICMP");
    this.#socket = new OwnedFd(fd, c.close);
  }

  /**
   * Sends one request to the IPv4 address (4 bytes) and waits for the answer. Milliseconds until it came; `undefined`
   * when none came within `limitMs`. Throws SysError (ENETUNREACH: no route leads there).
   */
  echo(address: Uint8Array, limitMs: number): number | undefined {
    const { fd } = this.#socket;
    const sequence = ++this.#sequence & 0xffff;
    const request = encodeRequest(this.#identifier, sequence);
    const destination = new Uint8Array(16); // struct sockaddr_in {family, port, addr, zero[8]}
    new DataView(destination.buffer).setUint16(0, AF_INET, true);
    destination.set(address, 4);
    const target = `ICMP echo to ${address.join(".")}`;
    const startMs = performance.now();
    if (c.sendto(fd, request, request.length, 0, destination, destination.length) < 0)
      throw new SysError("sendto", errno(), target);
    for (;;) {
      const leftMs = Math.ceil(startMs + limitMs - performance.now());
      if (leftMs <= 0) return undefined;
      if (!waitReadable(fd, leftMs, target)) continue;
      const length = takeDatagram(fd, this.#buffer, target);
      if (length === undefined) continue;
      const packet = this.#buffer.subarray(0, Math.min(length, this.#buffer.length));
      if (isReply(packet, address, this.#identifier, sequence)) return performance.now() - startMs;
    }
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

function encodeRequest(identifier: number, sequence: number): Uint8Array {
  const request = new Uint8Array(REQUEST_BYTES);
  const view = new DataView(request.buffer);
  request[0] = ECHO_REQUEST;
  view.setUint16(4, identifier);
  view.setUint16(6, sequence);
  view.setUint16(2, checksum(request));
  return request;
}

/** RFC 1071, over an even number of bytes. */
export function checksum(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** A raw socket hears all ICMP of its namespace, with the IP header in front. */
function isReply(packet: Uint8Array, from: Uint8Array, identifier: number, sequence: number): boolean {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const at = ((packet[0] ?? 0) & 0x0f) * 4;
  if (packet.length < at + HEADER_BYTES || packet[at] !== ECHO_REPLY) return false;
  const isFrom = from.every((byte, i) => packet[12 + i] === byte);
  return isFrom && view.getUint16(at + 4) === identifier && view.getUint16(at + 6) === sequence;
}
