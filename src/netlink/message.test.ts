import { expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "../lib/errors.ts";
import { AttributeBytes, text } from "./attribute-writer.ts";
import { NLMSG_DONE, NLMSG_ERROR } from "./constants.ts";
import { readMessages, readOutcome } from "./message.ts";
import { orProtocolError } from "./testing.ts";

function message(type: number, flags: number, payload: Uint8Array, sequence = 7): Uint8Array {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setUint32(0, 16 + payload.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  return new AttributeBytes().append(header).append(payload).bytes;
}

const refused = Uint8Array.of(0xef, 0xff, 0xff, 0xff); // -17, EEXIST
const request = message(16, 5, new Uint8Array(16));

test("readMessages() takes a datagram apart, padding included", () => {
  const datagram = Buffer.concat([message(16, 2, Uint8Array.of(1, 2, 3)), message(NLMSG_DONE, 2, new Uint8Array(4))]);
  expect(readMessages(datagram).map(({ type, payload }) => [type, payload.length])).toEqual([
    [16, 3],
    [NLMSG_DONE, 4],
  ]);
});

test("readMessages() and readOutcome() give values or ProtocolError for random bytes, nothing else", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 96 }),
      fc.constantFrom(NLMSG_ERROR, NLMSG_DONE),
      fc.nat(0xffff),
      (bytes, type, flags) => {
        orProtocolError(() => readMessages(bytes));
        orProtocolError(() => readOutcome({ type, flags, sequence: 0, payload: bytes }));
      },
    ),
  );
});

test("readMessages() refuses a message that is longer than its datagram", () => {
  expect(() => readMessages(message(16, 0, new Uint8Array(8)).subarray(0, 20))).toThrow(ProtocolError);
});

test("readOutcome() reads the kernel's text behind a capped error", () => {
  const payload = new AttributeBytes().append(refused).append(request.subarray(0, 16)).put(1, text("No such thing"));
  const [error] = readMessages(message(NLMSG_ERROR, 0x300, payload.bytes));
  expect(error && readOutcome(error)).toEqual({ errno: 17, kernelMessage: "No such thing" });
});

test("readOutcome() reads the kernel's text behind the whole request", () => {
  const payload = new AttributeBytes()
    .append(refused)
    .append(request)
    .put(2, Uint8Array.of(1, 0, 0, 0))
    .put(1, text("Busy"));
  const [error] = readMessages(message(NLMSG_ERROR, 0x200, payload.bytes));
  expect(error && readOutcome(error)).toEqual({ errno: 17, kernelMessage: "Busy" });
});

test("readOutcome() takes zero as success and the end of a dump for its errno", () => {
  const ack = { type: NLMSG_ERROR, flags: 0x100, sequence: 1, payload: new Uint8Array(20) };
  expect(readOutcome(ack)).toEqual({ errno: 0 });
  const end = { type: NLMSG_DONE, flags: 2, sequence: 1, payload: refused };
  expect(readOutcome(end)).toEqual({ errno: 17 });
});
