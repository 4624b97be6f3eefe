import { expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "../lib/errors.ts";
import { broadcastOf, formatIp, formatMac, formatPrefix, parseIp, parseMac, parsePrefix } from "./ip.ts";
import { ipFamily, ipOf, orProtocolError } from "./testing.ts";

test("formatIp() writes what RFC 5952 recommends", () => {
  const text = (hex: string) => formatIp(Uint8Array.fromHex(hex));
  expect(text("0a000001")).toBe("10.0.0.1");
  expect(text("00000000000000000000000000000000")).toBe("::");
  expect(text("00000000000000000000000000000001")).toBe("::1");
  expect(text("20010db8000000000001000000000001")).toBe("2001:db8::1:0:0:1");
  expect(text("20010db8000100010001000100000001")).toBe("2001:db8:1:1:1:1:0:1");
  expect(text("00000000000000000000ffffc0000201")).toBe("::ffff:192.0.2.1");
  expect(text("fe800000000000000000000000000000")).toBe("fe80::");
});

test("formatIp() agrees with the URL standard's IPv6 serialiser", () => {
  fc.assert(
    fc.property(ipOf("ipv6"), (address) => {
      fc.pre(!address.startsWith("::ffff:"));
      expect(new URL(`http://[${address}]/`).hostname).toBe(`[${address}]`);
    }),
  );
});

test("parseIp() reads back what formatIp() wrote", () => {
  fc.assert(
    fc.property(
      ipFamily.chain((family) => fc.tuple(fc.constant(family), ipOf(family))),
      ([family, address]) => {
        expect(formatIp(parseIp(family, address))).toBe(address);
      },
    ),
  );
});

test("parseIp() reads the forms that people write", () => {
  const hex = (address: string) => parseIp("ipv6", address).toHex();
  expect(hex("2001:DB8::A")).toBe("20010db800000000000000000000000a");
  expect(hex("0:0:0:0:0:0:0:1")).toBe("00000000000000000000000000000001");
  expect(hex("64:ff9b::192.0.2.33")).toBe("0064ff9b0000000000000000c0000221");
  expect(hex("1:2:3:4:5:6:7::")).toBe("00010002000300040005000600070000");
});

test.each(["10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1.1", "", "::1"])("parseIp() refuses %p as IPv4", (address) => {
  expect(() => parseIp("ipv4", address)).toThrow(ProtocolError);
});

test.each([
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "::12345",
  "::g",
  "10.0.0.1",
  "1.2.3.4::",
])("parseIp() refuses %p as IPv6", (address) => {
  expect(() => parseIp("ipv6", address)).toThrow(ProtocolError);
});

test("parseIp() and parsePrefix() throw ProtocolError and nothing else for any text", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom("0", "1", "f", ":", ".", "/", "::") }));
  fc.assert(
    fc.property(ipFamily, text, (family, value) => {
      orProtocolError(() => parseIp(family, value));
      orProtocolError(() => parsePrefix(family, value));
    }),
  );
});

test("formatPrefix() writes an absent address as zeros", () => {
  expect(formatPrefix("ipv4", undefined, 0)).toBe("0.0.0.0/0");
  expect(formatPrefix("ipv6", undefined, 0)).toBe("::/0");
  expect(() => formatPrefix("ipv4", undefined, 33)).toThrow(ProtocolError);
});

test("parsePrefix() takes a bare address as one address", () => {
  expect(parsePrefix("ipv4", "10.0.0.1")).toEqual({ address: Uint8Array.of(10, 0, 0, 1), length: 32 });
  expect(parsePrefix("ipv6", "::1").length).toBe(128);
  for (const wrong of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/-1"])
    expect(() => parsePrefix("ipv4", wrong)).toThrow(ProtocolError);
});

test("parseMac() reads back what formatMac() wrote, of any length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (bytes) => {
      expect(parseMac(formatMac(bytes.toHex()))).toEqual(bytes);
    }),
  );
  expect(parseMac("02-FC-00-00-00-01").toHex()).toBe("02fc00000001");
  for (const wrong of ["", "02:fc:0", "02fc00000001", "02:fc:00:00:00:0g"])
    expect(() => parseMac(wrong)).toThrow(ProtocolError);
});

test.each([
  ["10.1.2.3", 24, "10.1.2.255"],
  ["10.1.2.3", 20, "10.1.15.255"],
  ["10.1.2.3", 8, "10.255.255.255"],
  ["10.1.2.1", 30, "10.1.2.3"],
  ["10.1.2.3", 31, undefined],
  ["10.1.2.3", 32, undefined],
] as const)("broadcastOf() of %s/%d is %p", (address, length, expected) => {
  expect(broadcastOf(address, length)).toBe(expected);
});
