import { expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "../lib/errors.ts";
import { decodeFrame, encodeFrame } from "./frame.ts";
import { type DhcpMessage, decodeMessage, encodeMessage } from "./message.ts";

const octet = fc.integer({ min: 0, max: 255 });
const ip = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join("."));
const hardwareAddress = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":"));
/** Neither the padding, nor the end, nor the one that says where more options are. */
const code = fc.integer({ min: 1, max: 254 }).filter((at) => at !== 52);
const message: fc.Arbitrary<DhcpMessage> = fc.record({
  op: fc.constantFrom(1, 2),
  xid: fc.integer({ min: 0, max: 0xffff_ffff }),
  elapsedSeconds: fc.integer({ min: 0, max: 0xffff }),
  broadcast: fc.boolean(),
  ciaddr: ip,
  yiaddr: ip,
  siaddr: ip,
  giaddr: ip,
  hardwareAddress,
  options: fc
    .uniqueArray(fc.tuple(code, fc.uint8Array({ maxLength: 600 })), { selector: ([key]) => key, maxLength: 8 })
    .map((entries) => new Map(entries)),
});

test("decodeMessage() reads what encodeMessage() writes, options of more than 255 bytes too", () => {
  fc.assert(
    fc.property(message, (written) => {
      const read = decodeMessage(encodeMessage(written));
      expect({ ...read, options: plain(read) }).toEqual({ ...written, options: plain(written) });
    }),
  );
});

test("decodeFrame() reads what encodeFrame() writes", () => {
  const frame = fc.record({
    from: hardwareAddress,
    to: hardwareAddress,
    source: ip,
    destination: ip,
    payload: fc.uint8Array({ maxLength: 1400 }),
  });
  fc.assert(
    fc.property(frame, (written) => {
      const { payload, ...read } = decodeFrame(encodeFrame(written));
      expect({ ...read, payload: [...payload] }).toEqual({ ...written, payload: [...written.payload] });
    }),
  );
});

test("random bytes are a message or a ProtocolError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
      orProtocolError(() => decodeMessage(bytes));
      orProtocolError(() => decodeFrame(bytes));
    }),
  );
});

test("a message with random options is read, or a ProtocolError", () => {
  const head = encodeMessage({ ...EMPTY, options: new Map() }).subarray(0, 240);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (options) => {
      orProtocolError(() => decodeMessage(Uint8Array.from([...head, ...options])));
    }),
  );
});

const EMPTY: DhcpMessage = {
  op: 2,
  xid: 7,
  elapsedSeconds: 0,
  broadcast: false,
  ciaddr: "0.0.0.0",
  yiaddr: "10.0.0.9",
  siaddr: "0.0.0.0",
  giaddr: "0.0.0.0",
  hardwareAddress: "02:00:00:00:00:01",
  options: new Map(),
};

// RFC 2132 §9.3: 3 says that options go on in the fields of the file and of the server's name.
test("decodeMessage() goes on in file and sname where option 52 says so, and joins pieces", () => {
  const bytes = encodeMessage({ ...EMPTY, options: new Map([[121, Uint8Array.of(1, 2)]]) });
  bytes.set([52, 1, 3, 121, 2, 1, 2, 255], 240);
  bytes.set([121, 1, 3, 255], 108);
  bytes.set([0, 51, 4, 0, 0, 0, 60, 121, 1, 4, 255], 44);
  expect(plain(decodeMessage(bytes))).toEqual([
    [51, [0, 0, 0, 60]],
    [121, [1, 2, 3, 4]],
  ]);
  bytes.set([52, 1, 1, 255], 240);
  expect(plain(decodeMessage(bytes))).toEqual([[121, [3]]]);
});

test.each([
  ["239 bytes", (bytes: Uint8Array) => bytes.subarray(0, 239), "a DHCP message has at least 240 bytes, not 239"],
  ["op 3", put(0, 3), "a DHCP message has op 1 or 2, not 3"],
  ["InfiniBand", put(1, 32), "a DHCP message is for hardware type 32 with 6 octets, not for Ethernet"],
  ["no cookie", put(236, 0), "a BOOTP message without DHCP's magic cookie"],
  ["an option that is longer than the rest", put(240, 51, 61), "DHCP option 51 goes beyond the end of its field"],
])("decodeMessage() refuses %s", (_what, change, problem) => {
  expect(() => decodeMessage(change(encodeMessage(EMPTY)))).toThrow(problem);
});

function put(at: number, ...values: readonly number[]): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    bytes.set(values, at);
    return bytes;
  };
}

function plain({ options }: DhcpMessage): readonly unknown[] {
  return [...options].map(([key, value]) => [key, [...value]]).sort(([a], [b]) => Number(a) - Number(b));
}

function orProtocolError(task: () => unknown): void {
  try {
    task();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
  }
}
