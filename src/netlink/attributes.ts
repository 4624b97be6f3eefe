/** Netlink attributes: {u16 length, u16 type} and a payload, padded to four bytes (linux/netlink.h). */

import { endianness } from "node:os";
import { ProtocolError } from "../lib/errors.ts";
import { NLA_TYPE_MASK } from "./constants.ts";

/** An attribute that is kept as the kernel sent it: type without flag bits, payload in hex. */
export interface RawAttribute {
  readonly type: number;
  readonly data: string;
}

// Netlink speaks the host's byte order; every system that Bun runs on is little-endian.
if (endianness() !== "LE") throw new Error("netferry is written for little-endian machines.");

const HEADER_BYTES = 4;

/** The next multiple of four. */
export function align4(length: number): number {
  return (length + 3) & ~3;
}

/**
 * Walks the attributes of a payload; one object for all of them, since a dump has tens of thousands. Every length is
 * checked before it is used: what does not fit throws ProtocolError.
 *
 *     const at = new AttributeReader(bytes, 16);
 *     while (at.next()) if (at.type === IFLA_MTU) mtu = at.u32();
 */
export class AttributeReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #end: number;
  #next: number;
  #start = 0;
  #length = 0;
  #type = 0;

  /** `sibling`: another reader of the same bytes, whose views of them are used. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length, sibling?: AttributeReader) {
    const { buffer, byteOffset, byteLength } = bytes;
    this.#bytes = sibling === undefined ? Buffer.from(buffer, byteOffset, byteLength) : sibling.#bytes;
    this.#view = sibling === undefined ? new DataView(buffer, byteOffset, byteLength) : sibling.#view;
    if (start > end || end > bytes.length) throw new ProtocolError(`attributes from ${start} to ${end} do not fit`);
    this.#next = start;
    this.#end = end;
  }

  /** Goes to the next attribute; false after the last. Fewer than four bytes at the end are padding. */
  next(): boolean {
    const at = this.#next;
    if (at + HEADER_BYTES > this.#end) return false;
    const length = this.#view.getUint16(at, true);
    this.#type = this.#view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    if (length < HEADER_BYTES || at + length > this.#end)
      throw new ProtocolError(`attribute ${this.#type} declares ${length} bytes, ${this.#end - at} are left`);
    this.#start = at + HEADER_BYTES;
    this.#length = length - HEADER_BYTES;
    this.#next = at + align4(length);
    return true;
  }

  /** Of the current attribute, without flag bits. */
  get type(): number {
    return this.#type;
  }

  /** Length of the payload. */
  get length(): number {
    return this.#length;
  }

  u8(): number {
    this.#want(1);
    return this.#view.getUint8(this.#start);
  }

  u16(): number {
    this.#want(2);
    return this.#view.getUint16(this.#start, true);
  }

  u32(): number {
    this.#want(4);
    return this.#view.getUint32(this.#start, true);
  }

  u64(): bigint {
    this.#want(8);
    return this.#view.getBigUint64(this.#start, true);
  }

  i32(): number {
    this.#want(4);
    return this.#view.getInt32(this.#start, true);
  }

  /** The u32 at `offset` of a payload that is a struct of at least that size. */
  u32At(offset: number): number {
    if (offset + 4 > this.#length)
      throw new ProtocolError(`attribute ${this.#type}: want ${offset + 4} bytes, got ${this.#length}`);
    return this.#view.getUint32(this.#start + offset, true);
  }

  /** UTF-8 up to the first zero byte. */
  text(): string {
    const end = this.#start + this.#length;
    const zero = this.#bytes.indexOf(0, this.#start);
    return this.#bytes.toString("utf8", this.#start, zero < 0 || zero > end ? end : zero);
  }

  /** A copy of the payload. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(this.#start, this.#start + this.#length));
  }

  hex(): string {
    return this.#bytes.toString("hex", this.#start, this.#start + this.#length);
  }

  /** The attribute as it came. */
  raw(): RawAttribute {
    return { type: this.#type, data: this.hex() };
  }

  /** Reads the attributes within this one, after `skip` bytes of a fixed header. */
  nested(skip = 0): AttributeReader {
    return new AttributeReader(this.#bytes, this.#start + skip, this.#start + this.#length, this);
  }

  #want(bytes: number): void {
    if (this.#length !== bytes)
      throw new ProtocolError(`attribute ${this.#type}: want ${bytes} bytes, got ${this.#length}`);
  }
}
