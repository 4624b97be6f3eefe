import { expect, test } from "bun:test";
import fc from "fast-check";
import { AttributeBytes } from "./attribute-writer.ts";
import type { Rule } from "./rule.ts";
import { decodeRule, encodeRule } from "./rule-codec.ts";
import { hostileBytes, ipFamily, ipOf, orProtocolError } from "./testing.ts";

function encoded(rule: Rule): Uint8Array {
  const bytes = new AttributeBytes();
  encodeRule(rule, bytes);
  return bytes.bytes;
}

test("decodeRule() reads a rule as the kernel tells it", () => {
  // Recorded from Linux 6.18 after: ip rule add from 10.1.0.0/16 fwmark 5 lookup 1000 prio 77
  const bytes = Uint8Array.fromHex(
    "02001000fc0000010000000008000f00e803000008000e00ffffffff0500150000000000080006004d00000008000a000500000008001000ffffffff080002000a010000",
  );
  expect(decodeRule(bytes)).toEqual({
    family: "ipv4",
    priority: 77,
    source: "10.1.0.0/16",
    table: 1000,
    action: 1,
    tos: 0,
    flags: 0,
    attributes: [
      { type: 14, data: "ffffffff" },
      { type: 21, data: "00" },
      { type: 10, data: "05000000" },
      { type: 16, data: "ffffffff" },
    ],
  });
});

test("decodeRule() and encodeRule() lose nothing", () => {
  const u8 = fc.integer({ min: 0, max: 255 });
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const named = new Set([1, 2, 3, 6, 15, 17]);
  const attribute = fc.record({
    type: fc.integer({ min: 1, max: 30 }).filter((type) => !named.has(type)),
    data: fc.uint8Array({ maxLength: 8 }).map((bytes) => bytes.toHex()),
  });
  const rule: fc.Arbitrary<Rule> = ipFamily.chain((family) => {
    const length = fc.integer({ min: 1, max: family === "ipv4" ? 32 : 128 });
    const prefix = fc.tuple(ipOf(family), length).map((parts) => parts.join("/"));
    return fc.record(
      {
        family: fc.constant(family),
        priority: u32,
        source: prefix,
        destination: prefix,
        iif: fc.constantFrom("eth0", "lo"),
        oif: fc.constantFrom("eth1", "lo"),
        table: fc.oneof(u8, u32),
        action: u8,
        tos: u8,
        flags: fc.constantFrom(0, 2),
        attributes: fc.array(attribute, { maxLength: 3 }),
      },
      { requiredKeys: ["family", "priority", "table", "action", "tos", "flags", "attributes"] },
    );
  });
  fc.assert(fc.property(rule, (value) => expect(decodeRule(encoded(value))).toEqual(value)));
});

test("decodeRule() gives a value or ProtocolError for random bytes, nothing else", () => {
  fc.assert(
    fc.property(hostileBytes(12), (bytes) => {
      const rule = orProtocolError(() => decodeRule(bytes));
      if (rule !== undefined) orProtocolError(() => encoded(rule));
    }),
    { numRuns: 500 },
  );
});
