/** Bitsets of the `ethtool` family: read as words (compact), written by the names of the bits. */

import { type AttributeBytes, type MessageWriter, putNested, text } from "./attribute-writer.ts";
import type { AttributeReader } from "./attributes.ts";
import * as e from "./ethtool-constants.ts";

/** By index of the bit; bytes in the order of the wire, least significant first. */
export class BitWords {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  has(index: number): boolean {
    return (((this.#bytes[index >> 3] ?? 0) >> (index & 7)) & 1) !== 0;
  }
}

export interface Bitset {
  readonly value: BitWords;
  /** The bits that the set speaks of; absent where it is a plain list. */
  readonly mask?: BitWords;
}

export function readBitset(at: AttributeReader): Bitset {
  let value = new Uint8Array();
  let mask: Uint8Array | undefined;
  while (at.next()) {
    if (at.type === e.ETHTOOL_A_BITSET_VALUE) value = at.bytes() as Uint8Array<ArrayBuffer>;
    else if (at.type === e.ETHTOOL_A_BITSET_MASK) mask = at.bytes();
  }
  return { value: new BitWords(value), ...(mask === undefined ? {} : { mask: new BitWords(mask) }) };
}

/** Sets the named bits and leaves the others alone. */
export function putBitset(message: MessageWriter, type: number, bits: Readonly<Record<string, boolean>>): void {
  putNested(message, type, (set) =>
    putNested(set, e.ETHTOOL_A_BITSET_BITS, (list) => {
      for (const [name, on] of Object.entries(bits)) putBit(list, name, on);
    }),
  );
}

function putBit(list: AttributeBytes, name: string, on: boolean): void {
  putNested(list, e.ETHTOOL_A_BITSET_BITS_BIT, (bit) => {
    bit.put(e.ETHTOOL_A_BITSET_BIT_NAME, text(name));
    if (on) bit.put(e.ETHTOOL_A_BITSET_BIT_VALUE, new Uint8Array());
  });
}
