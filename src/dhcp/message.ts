/** A DHCP message ↔ its bytes (RFC 2131 §2; options RFC 2132, long ones RFC 3396). Pure. */

import { ProtocolError } from "../lib/errors.ts";
import { formatIp, parseIp } from "../netlink/ip.ts";

export const BOOTREQUEST = 1;
export const BOOTREPLY = 2;

export interface DhcpMessage {
  readonly op: number;
  /** Chosen by the client; the answer carries it too. */
  readonly xid: number;
  /** Seconds since the client began to ask. */
  readonly elapsedSeconds: number;
  /** The client cannot hear unicast packets before it has its address. */
  readonly broadcast: boolean;
  /** The client's own address, once it has one. */
  readonly ciaddr: string;
  /** The address that the server gives. */
  readonly yiaddr: string;
  readonly siaddr: string;
  readonly giaddr: string;
  /** `02:00:5e:10:00:01`: six octets of an Ethernet link. */
  readonly hardwareAddress: string;
  readonly options: ReadonlyMap<number, Uint8Array>;
}

const HTYPE_ETHERNET = 1;
const HLEN_ETHERNET = 6;
const MAGIC = 0x63825363;
const SNAME = { at: 44, length: 64 };
const FILE = { at: 108, length: 128 };
const OPTIONS_AT = 240;
/** Shorter ones were dropped by BOOTP relays (RFC 951). */
const MIN_BYTES = 300;
const BROADCAST_FLAG = 0x8000;

const PAD = 0;
const OVERLOAD = 52;
const END = 255;
const OVERLOADS_FILE = 1;
const OVERLOADS_SNAME = 2;

/** Throws ProtocolError when the bytes are no DHCP message of an Ethernet link. */
export function decodeMessage(bytes: Uint8Array): DhcpMessage {
  if (bytes.length < OPTIONS_AT)
    throw new ProtocolError(`a DHCP message has at least ${OPTIONS_AT} bytes, not ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const op = view.getUint8(0);
  if (op !== BOOTREQUEST && op !== BOOTREPLY) throw new ProtocolError(`a DHCP message has op 1 or 2, not ${op}`);
  const [htype, hlen] = [view.getUint8(1), view.getUint8(2)];
  if (htype !== HTYPE_ETHERNET || hlen !== HLEN_ETHERNET)
    throw new ProtocolError(`a DHCP message is for hardware type ${htype} with ${hlen} octets, not for Ethernet`);
  if (view.getUint32(236) !== MAGIC) throw new ProtocolError("a BOOTP message without DHCP's magic cookie");
  const address = (at: number) => formatIp(bytes.subarray(at, at + 4));
  return {
    op,
    xid: view.getUint32(4),
    elapsedSeconds: view.getUint16(8),
    broadcast: (view.getUint16(10) & BROADCAST_FLAG) !== 0,
    ciaddr: address(12),
    yiaddr: address(16),
    siaddr: address(20),
    giaddr: address(24),
    hardwareAddress: formatHardwareAddress(bytes.subarray(28, 28 + HLEN_ETHERNET)),
    options: decodeOptions(bytes),
  };
}

/** With the options in the order of the map; one longer than 255 bytes takes several. */
export function encodeMessage(message: DhcpMessage): Uint8Array {
  const options = [...message.options].flatMap(([code, value]) => encodeOption(code, value));
  const bytes = new Uint8Array(Math.max(MIN_BYTES, OPTIONS_AT + options.length + 1));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, message.op);
  view.setUint8(1, HTYPE_ETHERNET);
  view.setUint8(2, HLEN_ETHERNET);
  view.setUint32(4, message.xid);
  view.setUint16(8, Math.min(message.elapsedSeconds, 0xffff));
  view.setUint16(10, message.broadcast ? BROADCAST_FLAG : 0);
  bytes.set(parseIp("ipv4", message.ciaddr), 12);
  bytes.set(parseIp("ipv4", message.yiaddr), 16);
  bytes.set(parseIp("ipv4", message.siaddr), 20);
  bytes.set(parseIp("ipv4", message.giaddr), 24);
  bytes.set(parseHardwareAddress(message.hardwareAddress), 28);
  view.setUint32(236, MAGIC);
  bytes.set(options, OPTIONS_AT);
  bytes[OPTIONS_AT + options.length] = END;
  return bytes;
}

/** Throws ProtocolError when the text is not six octets. */
export function parseHardwareAddress(text: string): Uint8Array {
  const octets = text.split(":");
  if (octets.length !== HLEN_ETHERNET || !octets.every((octet) => /^[0-9a-f]{2}$/i.test(octet)))
    throw new ProtocolError(`${JSON.stringify(text)} is not the hardware address of an Ethernet link`);
  return Uint8Array.from(octets, (octet) => Number.parseInt(octet, 16));
}

export function formatHardwareAddress(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, "0")).join(":");
}

/** Pieces of one option are joined, in the order options, file, sname (RFC 3396). */
function decodeOptions(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  readOptions(bytes.subarray(OPTIONS_AT), options);
  const [overload = 0] = options.get(OVERLOAD) ?? [];
  options.delete(OVERLOAD);
  if ((overload & OVERLOADS_FILE) !== 0) readOptions(bytes.subarray(FILE.at, FILE.at + FILE.length), options);
  if ((overload & OVERLOADS_SNAME) !== 0) readOptions(bytes.subarray(SNAME.at, SNAME.at + SNAME.length), options);
  return options;
}

function readOptions(field: Uint8Array, options: Map<number, Uint8Array>): void {
  for (let at = 0; at < field.length; ) {
    const code = field[at] ?? END;
    if (code === END) return;
    at += 1;
    if (code === PAD) continue;
    const length = field[at];
    if (length === undefined || at + 1 + length > field.length)
      throw new ProtocolError(`DHCP option ${code} goes beyond the end of its field`);
    const piece = field.slice(at + 1, at + 1 + length);
    const before = options.get(code);
    options.set(code, before === undefined ? piece : Uint8Array.from([...before, ...piece]));
    at += 1 + length;
  }
}

function encodeOption(code: number, value: Uint8Array): readonly number[] {
  const bytes: number[] = [];
  for (let at = 0; at === 0 || at < value.length; at += 255) {
    const piece = value.subarray(at, at + 255);
    bytes.push(code, piece.length, ...piece);
  }
  return bytes;
}
