/**
 * libnl-3: netlink messages and sockets. The library builds and sends. What comes back is read from the socket's
 * descriptor as bytes, so that errno, the kernel's text and attributes unknown to the library survive.
 */

import { dlopen, type Pointer, read, FFIType as T, toArrayBuffer } from "bun:ffi";
import { errno } from "./errno.ts";
import { nextDatagramLength, takeDatagram, trySocketOption, waitReadable } from "./libc.ts";
import { openLibrary } from "./library.ts";
import { ADDRESS, Owned } from "./owned.ts";
import { SysError } from "./sys-error.ts";

/** What is bound; test/abi holds it against the headers. */
export const LIBNL_SYMBOLS = {
  nl_geterror: { args: [T.i32], returns: T.cstring },
  nl_socket_alloc: { args: [], returns: T.ptr },
  nl_socket_free: { args: [T.ptr], returns: T.void },
  nl_socket_get_fd: { args: [T.ptr], returns: T.i32 },
  nl_socket_set_buffer_size: { args: [T.ptr, T.i32, T.i32], returns: T.i32 },
  nl_socket_set_nonblocking: { args: [T.ptr], returns: T.i32 },
  nl_socket_add_membership: { args: [T.ptr, T.i32], returns: T.i32 },
  nl_connect: { args: [T.ptr, T.i32], returns: T.i32 },
  nl_send_auto: { args: [T.ptr, T.ptr], returns: T.i32 },
  nlmsg_set_default_size: { args: [T.u64_fast], returns: T.void },
  nlmsg_alloc_simple: { args: [T.i32, T.i32], returns: T.ptr },
  nlmsg_free: { args: [T.ptr], returns: T.void },
  nlmsg_hdr: { args: [T.ptr], returns: T.ptr },
  nlmsg_append: { args: [T.ptr, T.ptr, T.u64_fast, T.i32], returns: T.i32 },
  nla_put: { args: [T.ptr, T.i32, T.i32, T.ptr], returns: T.i32 },
  nla_nest_start: { args: [T.ptr, T.i32], returns: T.ptr },
  nla_nest_end: { args: [T.ptr, T.ptr], returns: T.i32 },
  nl_addr_build: { args: [T.i32, T.ptr, T.u64_fast], returns: T.ptr },
  nl_addr_set_prefixlen: { args: [T.ptr, T.i32], returns: T.void },
  nl_addr_put: { args: [T.ptr], returns: T.void },
} as const;

const { symbols: c } = openLibrary("libnl-3.so.200", (path) => dlopen(path, LIBNL_SYMBOLS));

/** A route with hundreds of next hops fits; the library's default is one page. */
const MESSAGE_BYTES = 32 * 1024;
c.nlmsg_set_default_size(MESSAGE_BYTES);

/** struct nlmsghdr: u32 length, u16 type, u16 flags, u32 sequence, u32 port. */
const SEQUENCE_OFFSET = 8;
const NLMSG_ALIGNTO = 4;

const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** Throws unless a function of libnl that answers 0 or a negative code has succeeded. */
export function checkNl(op: string, code: number, target: string): void {
  if (code >= 0) return;
  // The library maps errno to codes of its own, with loss; both are told.
  throw new SysError(op, errno(), target, `libnl: ${c.nl_geterror(code)}`);
}

/** A netlink request under construction. */
export class NlMessage implements Disposable {
  readonly #message: Owned;

  constructor(type: number, flags: number);
  constructor(built: Owned);
  constructor(typeOrBuilt: number | Owned, flags = 0) {
    this.#message =
      typeof typeOrBuilt === "number"
        ? new Owned("nlmsg_alloc_simple", c.nlmsg_alloc_simple(typeOrBuilt, flags), c.nlmsg_free)
        : typeOrBuilt;
  }

  /** Adds the fixed header that the message type has before its attributes, padded to four bytes. */
  append(bytes: Uint8Array): this {
    checkNl("nlmsg_append", c.nlmsg_append(this.#message[ADDRESS], bytes, bytes.length, NLMSG_ALIGNTO), "message");
    return this;
  }

  /** Adds an attribute; `type` may carry flag bits. */
  put(type: number, data: Uint8Array): this {
    const bytes = data.length === 0 ? null : data;
    checkNl("nla_put", c.nla_put(this.#message[ADDRESS], type, data.length, bytes), `attribute ${type}`);
    return this;
  }

  /** Adds an attribute that holds those that `fill` puts; none at all when it puts nothing. */
  nest(type: number, fill: (message: this) => void): this {
    const start = c.nla_nest_start(this.#message[ADDRESS], type);
    if (start === null) throw new SysError("nla_nest_start", errno(), `attribute ${type}`);
    fill(this);
    checkNl("nla_nest_end", c.nla_nest_end(this.#message[ADDRESS], start), `attribute ${type}`);
    return this;
  }

  /** A copy of the message as it stands, header included. */
  get bytes(): Uint8Array {
    const header = c.nlmsg_hdr(this.#message[ADDRESS]);
    if (header === null) throw new Error("A netlink message has no header.");
    return new Uint8Array(toArrayBuffer(header, 0, read.u32(header, 0)).slice(0));
  }

  get sequence(): number {
    const header = c.nlmsg_hdr(this.#message[ADDRESS]);
    if (header === null) throw new Error("A netlink message has no header.");
    return read.u32(header, SEQUENCE_OFFSET);
  }

  get [ADDRESS](): Pointer {
    return this.#message[ADDRESS];
  }

  [Symbol.dispose](): void {
    this.#message[Symbol.dispose]();
  }
}

/** A message that a function of libnl-route built into its last argument. */
export function adoptMessage(op: string, target: string, build: (result: BigUint64Array) => number): NlMessage {
  const result = new BigUint64Array(1);
  checkNl(op, build(result), target);
  return new NlMessage(new Owned(op, Number(result[0]) as Pointer, c.nlmsg_free));
}

/** An abstract address for the setters of libnl-route; `prefixLength` as far as it differs from the whole. */
export function buildAddress(family: number, bytes: Uint8Array, prefixLength?: number): Owned {
  const address = new Owned("nl_addr_build", c.nl_addr_build(family, bytes, bytes.length), c.nl_addr_put);
  if (prefixLength !== undefined) c.nl_addr_set_prefixlen(address[ADDRESS], prefixLength);
  return address;
}

/** Datagrams of all sockets of this thread: a buffer for each would cost more than opening the socket. */
let received: Uint8Array = new Uint8Array(64 * 1024);

/** A netlink socket of the namespace that the thread was in when it was opened, for as long as it lives. */
export class NlSocket implements Disposable {
  readonly #socket: Owned;
  readonly #target: string;
  readonly fd: number;

  /** Throws SysError: EPROTONOSUPPORT when the kernel lacks this netlink protocol. */
  constructor(protocol: number) {
    this.#target = `netlink protocol ${protocol}`;
    using socket = new DisposableStack();
    this.#socket = socket.use(new Owned("nl_socket_alloc", c.nl_socket_alloc(), c.nl_socket_free));
    checkNl("nl_connect", c.nl_connect(this.#socket[ADDRESS], protocol), this.#target);
    this.fd = c.nl_socket_get_fd(this.#socket[ADDRESS]);
    const sized = c.nl_socket_set_buffer_size(this.#socket[ADDRESS], 4 * MESSAGE_BYTES, 2 * MESSAGE_BYTES);
    checkNl("nl_socket_set_buffer_size", sized, this.#target);
    // Kernels before 4.12, 4.2 and 4.20 refuse these, and answer with less.
    for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK])
      trySocketOption(this.fd, SOL_NETLINK, option, 1);
    socket.move();
  }

  /** Sends the message and answers its sequence number. */
  send(message: NlMessage): number {
    checkNl("nl_send_auto", c.nl_send_auto(this.#socket[ADDRESS], message[ADDRESS]), this.#target);
    return message.sequence;
  }

  /**
   * The next datagram, whole whatever its length; `undefined` when none came within `limitMs`. The bytes are valid
   * until the next call, of any socket.
   */
  receive(limitMs: number): Uint8Array | undefined {
    const length = nextDatagramLength(this.fd, this.#target) ?? this.#waitForDatagram(limitMs);
    if (length === undefined) return undefined;
    if (length > received.length) received = new Uint8Array(2 * length);
    const taken = takeDatagram(this.fd, received, this.#target);
    return taken === undefined ? undefined : received.subarray(0, taken);
  }

  #waitForDatagram(limitMs: number): number | undefined {
    const end = performance.now() + limitMs;
    for (let left = limitMs; left > 0; left = end - performance.now()) {
      if (waitReadable(this.fd, Math.ceil(left), this.#target)) return nextDatagramLength(this.fd, this.#target);
    }
    return undefined;
  }

  /** From now on the socket receives the events of this group. */
  join(group: number): void {
    checkNl(
      "nl_socket_add_membership",
      c.nl_socket_add_membership(this.#socket[ADDRESS], group),
      `multicast group ${group}`,
    );
  }

  /** Makes room for `bytes` of events, beyond the limit of the system where that is allowed. */
  setReceiveBuffer(bytes: number): void {
    if (trySocketOption(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) === 0) return;
    const sized = c.nl_socket_set_buffer_size(this.#socket[ADDRESS], bytes, 2 * MESSAGE_BYTES);
    checkNl("nl_socket_set_buffer_size", sized, this.#target);
  }

  setNonBlocking(): void {
    checkNl("nl_socket_set_nonblocking", c.nl_socket_set_nonblocking(this.#socket[ADDRESS]), this.#target);
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}
