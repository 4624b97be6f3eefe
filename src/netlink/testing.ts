/** For property tests of the codecs. */

import fc from "fast-check";
import { ProtocolError } from "../lib/errors.ts";
import { AttributeBytes } from "./attribute-writer.ts";
import { formatIp, type IpFamily } from "./ip.ts";

/** Bytes such as a broken peer sends: anything, and a header followed by attributes of any type and content. */
export function hostileBytes(headerBytes: number): fc.Arbitrary<Uint8Array> {
  const attribute = fc.tuple(fc.integer({ min: 0, max: 70 }), fc.uint8Array({ maxLength: 24 }));
  const wellFormed = fc
    .tuple(fc.uint8Array({ minLength: headerBytes, maxLength: headerBytes }), fc.array(attribute, { maxLength: 6 }))
    .map(([header, attributes]) => {
      header[0] = (header[0] ?? 0) % 2 === 0 ? 2 : 10; // a family that the decoders go into
      const bytes = new AttributeBytes().append(header);
      for (const [type, data] of attributes) bytes.put(type, data);
      return bytes.bytes;
    });
  return fc.oneof(fc.uint8Array({ maxLength: 128 }), wellFormed);
}

/** What `decode` made of the bytes; `undefined` for a ProtocolError. Whatever else it throws comes through. */
export function orProtocolError<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

export const ipFamily: fc.Arbitrary<IpFamily> = fc.constantFrom("ipv4", "ipv6");

/** Canonical text; with many zero groups, which is where compression has its corners. */
export function ipOf(family: IpFamily): fc.Arbitrary<string> {
  const length = family === "ipv4" ? 4 : 16;
  const sparse = fc.array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: length, maxLength: length });
  return fc
    .oneof(fc.uint8Array({ minLength: length, maxLength: length }), sparse.map(Uint8Array.from.bind(Uint8Array)))
    .map(formatIp);
}
