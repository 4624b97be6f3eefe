import { expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "../lib/errors.ts";
import { AttributeBytes, putNested, text, u8, u32 } from "./attribute-writer.ts";
import { AttributeReader } from "./attributes.ts";
import { orProtocolError } from "./testing.ts";

test("AttributeReader reads back what AttributeBytes wrote", () => {
  const attribute = fc.tuple(fc.integer({ min: 0, max: 0x3fff }), fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(fc.array(attribute), (attributes) => {
      const bytes = new AttributeBytes();
      for (const [type, data] of attributes) bytes.put(type, data);
      const seen: [number, Uint8Array][] = [];
      for (const at = new AttributeReader(bytes.bytes); at.next(); ) seen.push([at.type, at.bytes()]);
      expect(seen).toEqual(attributes);
    }),
  );
});

test("AttributeReader gives a walk or ProtocolError for random bytes, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      orProtocolError(() => {
        const at = new AttributeReader(bytes);
        while (at.next()) {
          expect(at.bytes().length).toBe(at.length);
          for (const read of [() => at.u8(), () => at.u32(), () => at.i32(), () => at.text(), () => at.u32At(4)])
            orProtocolError<unknown>(read);
          for (const inner = at.nested(); orProtocolError(() => inner.next()) === true; )
            expect(inner.length).toBeLessThan(64);
        }
      });
    }),
  );
});

test("AttributeReader masks the flag bits of the type", () => {
  const bytes = new AttributeBytes();
  putNested(bytes, 18, (nested) => nested.put(1, text("veth")));
  const at = new AttributeReader(bytes.bytes);
  expect(at.next()).toBe(true);
  expect(at.type).toBe(18);
  const inner = at.nested();
  expect(inner.next()).toBe(true);
  expect(inner.text()).toBe("veth");
});

test("AttributeReader names the attribute whose length is wrong", () => {
  const bytes = new AttributeBytes().put(13, u8(1)).put(4, u32(1500)).bytes;
  const at = new AttributeReader(bytes);
  at.next();
  expect(() => at.u32()).toThrow(new ProtocolError("attribute 13: want 4 bytes, got 1"));
  at.next();
  expect(at.u32()).toBe(1500);
});

test("AttributeReader refuses an attribute that is longer than what is left", () => {
  const at = new AttributeReader(Uint8Array.fromHex("0900010001020304"));
  expect(() => at.next()).toThrow(ProtocolError);
});

test("text() ends at the zero byte, or at the payload's end where there is none", () => {
  const at = new AttributeReader(new AttributeBytes().put(1, Buffer.from("ab\0c")).put(2, Buffer.from("abcd")).bytes);
  at.next();
  expect(at.text()).toBe("ab");
  at.next();
  expect(at.text()).toBe("abcd");
});
