import { expect, test } from "bun:test";
import fc from "fast-check";
import { channelPair } from "../../test/fakes/byte-channels.ts";
import { ProtocolError } from "../lib/errors.ts";
import { encodeMessage, MAX_MESSAGE_BYTES, MuxDecoder } from "./mux.ts";
import { MuxConnection } from "./mux-connection.ts";

const message = fc.record({
  connectionId: fc.integer({ min: 0, max: 0xffff_ffff }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }),
});

/** The payload lengths of the frames in `bytes`, all of connection 1. */
function payloadLengths(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length; at += 8 + (lengths.at(-1) ?? 0)) {
    expect(view.getUint32(at)).toBe(1);
    lengths.push(view.getUint32(at + 4));
  }
  return lengths;
}

test("encodeMessage() lays a short message out as one frame", () => {
  const hex = Buffer.from(encodeMessage(2, Uint8Array.of(0xaa, 0xbb))).toString("hex");
  expect(hex).toBe("00000002" + "00000002" + "aabb");
});

test("encodeMessage() never makes a frame above 4096 bytes nor more than 200 frames", () => {
  expect(payloadLengths(encodeMessage(1, new Uint8Array(4096)))).toEqual([4096]);
  expect(payloadLengths(encodeMessage(1, new Uint8Array(4097)))).toEqual([4096, 1]);
  expect(payloadLengths(encodeMessage(1, new Uint8Array(10_000)))).toEqual([4096, 4096, 1808]);
  expect(payloadLengths(encodeMessage(1, new Uint8Array(MAX_MESSAGE_BYTES))).length).toBe(200);
  expect(() => encodeMessage(1, new Uint8Array(MAX_MESSAGE_BYTES + 1))).toThrow(RangeError);
});

test("MuxDecoder gives each connection its bytes in order, however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(message), fc.integer({ min: 1, max: 30 }), (messages, cut) => {
      const stream = Buffer.concat(messages.map(({ connectionId, bytes }) => encodeMessage(connectionId, bytes)));
      const decoder = new MuxDecoder();
      const pieces = [];
      for (let at = 0; at < stream.length; at += cut) pieces.push(...decoder.push(stream.subarray(at, at + cut)));
      const text = (parts: readonly { connectionId: number; bytes: Uint8Array }[]) =>
        parts.flatMap(({ connectionId, bytes }) => [...bytes].map((byte) => `${connectionId}:${byte}`));
      expect(text(pieces)).toEqual(text(messages));
      expect(decoder.between).toBe(true);
    }),
  );
});

test("MuxDecoder gives pieces or ProtocolError for random bytes, nothing else", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      const decoder = new MuxDecoder();
      try {
        for (const chunk of chunks) decoder.push(chunk);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});

test("MuxDecoder takes an empty frame and refuses a length that nobody sends", () => {
  const decoder = new MuxDecoder();
  expect(decoder.push(Buffer.from("0000000100000000", "hex"))).toEqual([]);
  expect(decoder.between).toBe(true);
  expect(decoder.push(Buffer.from("0000000101000000", "hex"))).toEqual([]); // 16 MiB
  expect(() => new MuxDecoder().push(Buffer.from("0000000101000001", "hex"))).toThrow(ProtocolError);
});

test("MuxConnection carries two streams and drops what nobody opened", async () => {
  const [near, far] = channelPair({ cut: () => 3 });
  const [left, right] = [new MuxConnection(near), new MuxConnection(far)];
  const heard = new Map<number, number[]>([1, 2].map((id) => [id, []]));
  for (const [id, bytes] of heard) {
    right.channel(id).listen({ data: (chunk) => bytes.push(...chunk), closed: () => undefined });
  }
  right.start();
  left.channel(7).write(Uint8Array.of(9));
  left.channel(2).write(Uint8Array.of(3));
  left.channel(1).write(Uint8Array.of(1));
  left.channel(1).write(Uint8Array.of(2));
  left.close();
  expect(await right.closed).toBeUndefined();
  expect(Object.fromEntries(heard)).toEqual({ 1: [1, 2], 2: [3] });
});

test("MuxConnection tells every stream once when the trunk breaks, and says why", async () => {
  const [near, far] = channelPair();
  const mux = new MuxConnection(far);
  const reasons: unknown[] = [];
  for (const id of [1, 2]) {
    mux.channel(id).listen({ data: () => undefined, closed: (cause) => reasons.push(cause) });
  }
  mux.start();
  near.write(Buffer.from("00000001ffffffff", "hex"));
  expect(await mux.closed).toBeInstanceOf(ProtocolError);
  expect(reasons).toEqual([expect.any(ProtocolError), expect.any(ProtocolError)]);
  expect(() => mux.channel(1).write(Uint8Array.of(1))).toThrow("closed");
});

test("MuxConnection says so when the runtime hangs up inside a frame", async () => {
  const [near, far] = channelPair();
  const mux = new MuxConnection(far);
  mux.start();
  near.write(Buffer.from("0000000100000004aa", "hex"));
  near.close();
  expect((await mux.closed)?.message).toContain("inside an NRI frame");
});
