import { expect, test } from "bun:test";
import fc from "fast-check";
import { AttributeBytes, u32 } from "./attribute-writer.ts";
import { AttributeReader } from "./attributes.ts";
import { putBitset, readBitset } from "./ethtool-bitset.ts";
import { hostileBytes, orProtocolError } from "./testing.ts";

test("readBitset() finds bit n in byte n/8, in sets longer than a word", () => {
  const bytes = new AttributeBytes().put(2, u32(70)).put(4, Uint8Array.of(1, 0, 0, 0x80, 0, 0, 0, 0, 0x20, 0, 0, 0));
  const { value, mask } = readBitset(new AttributeReader(bytes.bytes));
  const bits = Array.from({ length: 100 }, (_, index) => index).filter((index) => value.has(index));
  expect([bits, mask]).toEqual([[0, 31, 69], undefined]);
});

test("putBitset() names each bit, and gives a value to those that are to be set", () => {
  const bytes = new AttributeBytes();
  putBitset(bytes, 3, { on: true, off: false });
  const hex = (text: string) => Buffer.from(text).toString("hex");
  expect(bytes.bytes.toHex()).toBe(
    "24000380" + // ETHTOOL_A_FEATURES_WANTED
      "20000380" + // BITS
      "10000180" + // BIT
      `07000200${hex("on\0")}00` +
      "04000300" + // VALUE
      "0c000180" + // BIT
      `08000200${hex("off\0")}`,
  );
});

test("readBitset() makes of any bytes a value or a ProtocolError", () => {
  fc.assert(
    fc.property(hostileBytes(0), (bytes) => {
      orProtocolError(() => readBitset(new AttributeReader(bytes)));
    }),
  );
});
