import { expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "../lib/errors.ts";
import { encodeFrame, type Frame, FrameDecoder, MAX_DATA_BYTES, MAX_RECEIVED_BYTES, MessageType } from "./frame.ts";

const frame: fc.Arbitrary<Frame> = fc.record({
  streamId: fc.integer({ min: 0, max: 0xffff_ffff }),
  type: fc.integer({ min: 0, max: 255 }),
  flags: fc.integer({ min: 0, max: 255 }),
  data: fc.uint8Array({ maxLength: 40 }),
});
const plain = (value: Frame) => ({ ...value, data: Buffer.from(value.data).toString("hex") });

function headerOf(length: number): Uint8Array {
  const header = new Uint8Array(10);
  new DataView(header.buffer).setUint32(0, length);
  return header;
}

test("encodeFrame() lays the header out as PROTOCOL.md draws it", () => {
  const bytes = encodeFrame({ streamId: 0x01020304, type: MessageType.Response, flags: 5, data: Uint8Array.of(0xaa) });
  expect(Buffer.from(bytes).toString("hex")).toBe("00000001" + "01020304" + "02" + "05" + "aa");
});

test("encodeFrame() takes data at the limit and refuses one byte more", () => {
  const at = (length: number) => encodeFrame({ streamId: 1, type: 1, flags: 0, data: new Uint8Array(length) });
  expect(at(MAX_DATA_BYTES).length).toBe(MAX_DATA_BYTES + 10);
  expect(() => at(MAX_DATA_BYTES + 1)).toThrow(RangeError);
});

test("FrameDecoder yields what was encoded, however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.integer({ min: 0, max: 23 }), { minLength: 1 }), (frames, cuts) => {
      const stream = Buffer.concat(frames.map(encodeFrame));
      const decoder = new FrameDecoder();
      const seen: Frame[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const length = turn < 100 ? (cuts[turn % cuts.length] ?? 1) : stream.length; // zeros alone would never end
        seen.push(...decoder.push(stream.subarray(at, at + length)));
        at += length;
      }
      expect(seen.map(plain)).toEqual(frames.map(plain));
      expect(decoder.pendingBytes).toBe(0);
    }),
  );
});

test("FrameDecoder gives frames or ProtocolError for random bytes, nothing else", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
      const decoder = new FrameDecoder(1000);
      try {
        for (const chunk of chunks) decoder.push(chunk);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});

test("FrameDecoder refuses an oversized length from the header alone", () => {
  expect(new FrameDecoder().push(headerOf(MAX_RECEIVED_BYTES))).toEqual([]);
  expect(() => new FrameDecoder().push(headerOf(MAX_RECEIVED_BYTES + 1))).toThrow(ProtocolError);
  expect(() => new FrameDecoder().push(headerOf(0xffff_ffff))).toThrow("declares 4294967295 bytes");
});

test("FrameDecoder counts the bytes of a frame that was cut short", () => {
  const decoder = new FrameDecoder();
  expect(decoder.push(headerOf(3).subarray(0, 9))).toEqual([]);
  expect(decoder.pendingBytes).toBe(9);
  expect(decoder.push(Uint8Array.of(0, 1, 2))).toEqual([]);
  expect(decoder.pendingBytes).toBe(12);
});

test("FrameDecoder does not hand out memory that it writes to again", () => {
  const decoder = new FrameDecoder();
  const [first] = decoder.push(encodeFrame({ streamId: 1, type: 1, flags: 0, data: Uint8Array.of(1, 2) }));
  decoder.push(encodeFrame({ streamId: 3, type: 1, flags: 0, data: Uint8Array.of(3, 4) }));
  expect([...(first?.data ?? [])]).toEqual([1, 2]);
});
