import { expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "../../lib/errors.ts";
import { JsonLineDecoder } from "./json-lines.ts";

test("JsonLineDecoder.push() yields what was written, however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.integer({ min: 1, max: 17 }), (values, cut) => {
      const stream = new TextEncoder().encode(values.map((value) => `${JSON.stringify(value)}\n`).join(""));
      const decoder = new JsonLineDecoder();
      const seen: unknown[] = [];
      const buffer = new Uint8Array(cut); // used again for each chunk, as a stream may do
      for (let at = 0; at < stream.length; at += cut) {
        const part = stream.subarray(at, at + cut);
        buffer.set(part);
        seen.push(...decoder.push(buffer.subarray(0, part.length)));
      }
      expect(JSON.stringify(seen)).toBe(JSON.stringify(values));
    }),
  );
});

test("JsonLineDecoder.push() keeps the half line that a cut stream ends with to itself", () => {
  expect(new JsonLineDecoder().push(new TextEncoder().encode('{"a":1}\n{"b":'))).toEqual([{ a: 1 }]);
});

test("JsonLineDecoder.push() refuses a line above the limit before the line is whole", () => {
  const decoder = new JsonLineDecoder(10);
  expect(decoder.push(new TextEncoder().encode("[1]\n[2"))).toEqual([[1]]);
  expect(() => decoder.push(new TextEncoder().encode("        ]"))).toThrow(ProtocolError);
});

test("JsonLineDecoder.push() throws ProtocolError for a line that is no JSON", () => {
  expect(() => new JsonLineDecoder().push(new TextEncoder().encode("<html>\n"))).toThrow(ProtocolError);
});
