/** Writing attributes: into a message of libnl, or, for what is nested in an odd way and for tests, into bytes. */

import { align4, type RawAttribute } from "./attributes.ts";
import { NLA_F_NESTED } from "./constants.ts";

/** What an encoder needs of a message; `NlMessage` of ffi/ has it. */
export interface MessageWriter {
  /** Adds the fixed header of the message type. */
  append(bytes: Uint8Array): unknown;
  put(type: number, data: Uint8Array): unknown;
}

/** Attributes as bytes. */
export class AttributeBytes implements MessageWriter {
  readonly #parts: Uint8Array[] = [];

  append(bytes: Uint8Array): this {
    return this.#add(bytes);
  }

  put(type: number, data: Uint8Array): this {
    const header = new Uint8Array(4);
    const view = new DataView(header.buffer);
    view.setUint16(0, header.length + data.length, true);
    view.setUint16(2, type, true);
    this.#parts.push(header);
    return this.#add(data);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }

  #add(bytes: Uint8Array): this {
    this.#parts.push(bytes, new Uint8Array(align4(bytes.length) - bytes.length));
    return this;
  }
}

/** An attribute that holds those that `fill` puts. */
export function putNested(message: MessageWriter, type: number, fill: (nested: AttributeBytes) => void): void {
  const nested = new AttributeBytes();
  fill(nested);
  message.put(type | NLA_F_NESTED, nested.bytes);
}

export function putRaw(message: MessageWriter, attribute: RawAttribute, flags = 0): void {
  message.put(attribute.type | flags, Uint8Array.fromHex(attribute.data));
}

export function u8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** UTF-8 ended by a zero byte, as names are sent. */
export function text(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(`${value}\0`));
}
