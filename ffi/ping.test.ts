import { expect, test } from "bun:test";
import { checksum } from "./ping.ts";

test("checksum() is that of RFC 1071's example", () => {
  // 0001 f203 f4f5 f6f7 add up to ddf2; the checksum is the complement.
  expect(checksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(0x220d);
});

test("checksum() of bytes that hold their own checksum is zero", () => {
  expect(checksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7, 0x22, 0x0d))).toBe(0);
});
