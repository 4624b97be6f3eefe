import { expect, test } from "bun:test";
import fc from "fast-check";
import { ipNumber, ipOfNumber, parseHardwareAddress, parseIp, parsePrefix } from "./ip.ts";

test("parseIp() gives the canonical text of RFC 5952", () => {
  const cases: [string, string][] = [
    ["10.0.0.1", "10.0.0.1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:0:0:0:0", "2001:db8:0:1::"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::", "::"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ];
  for (const [text, canonical] of cases) expect(parseIp(text)?.text).toBe(canonical);
});

test("parseIp() refuses zones, mapped addresses, leading zeros and fragments", () => {
  for (const text of [
    "",
    "10.0.0",
    "10.0.0.01",
    "10.0.0.256",
    "fe80::1%eth0",
    "::ffff:10.0.0.1",
    "1::2::3",
    " 10.0.0.1",
  ]) {
    expect(parseIp(text)).toBeUndefined();
  }
});

test("parsePrefix() keeps the address and clears the host's bits of the network", () => {
  expect(parsePrefix("10.1.2.3/20")).toEqual({
    family: "ipv4",
    text: "10.1.2.3",
    length: 20,
    cidr: "10.1.2.3/20",
    network: "10.1.0.0/20",
  });
  expect(parsePrefix("fd00::ff/121")?.network).toBe("fd00::80/121");
  expect(parsePrefix("10.1.2.3/32")?.network).toBe("10.1.2.3/32");
  expect(parsePrefix("10.1.2.3/0")?.network).toBe("0.0.0.0/0");
  for (const text of [
    "10.0.0.1",
    "10.0.0.1/",
    "10.0.0.1/33",
    "10.0.0.1/08",
    "10.0.0.1/8/8",
    "fd00::/129",
    "/8",
    "10.0.0.0/255.0.0.0",
  ]) {
    expect(parsePrefix(text)).toBeUndefined();
  }
});

test("parseIp() writes IPv6 as the URL standard does", () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const full = groups.map((value) => value.toString(16).padStart(4, "0")).join(":");
      const ip = parseIp(full);
      if (ip === undefined) return; // an IPv4-mapped one
      expect(`[${ip.text}]`).toBe(new URL(`http://[${full}]/`).hostname);
      expect(parseIp(ip.text)).toEqual(ip);
    }),
  );
});

test("parseIp() gives one text for all ways to write the same address", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const ip = parseIp(text);
      if (ip === undefined) return; // an IPv4-mapped one
      expect(parseIp(ip.text)).toEqual(ip);
      expect(parseIp(text.toUpperCase())).toEqual(ip);
    }),
  );
});

test("parseHardwareAddress() takes the forms of Go's net.ParseMAC", () => {
  expect(parseHardwareAddress("02-AB-cd-00-00-01")).toBe("02:ab:cd:00:00:01");
  expect(parseHardwareAddress("02ab.cd00.0001")).toBe("02:ab:cd:00:00:01");
  expect(parseHardwareAddress("02:00:5e:10:00:00:00:01")).toBe("02:00:5e:10:00:00:00:01");
  expect(parseHardwareAddress(new Array(20).fill("0a").join(":"))).toHaveLength(59);
  for (const text of [
    "",
    "02:00:00:00:00",
    "02:00:00:00:00:0",
    "02:00-00:00:00:00",
    "020000000001",
    "02:00:00:00:00:00:00",
    "02ab.cd00",
  ]) {
    expect(parseHardwareAddress(text)).toBeUndefined();
  }
});

test("ipNumber() and ipOfNumber() undo each other", () => {
  expect(ipNumber("10.24.3.1")).toBe(0x0a180301n);
  expect(ipNumber("::1")).toBe(1n);
  expect(ipNumber("x")).toBeUndefined();
  for (const [family, bits] of [
    ["ipv4", 32n],
    ["ipv6", 128n],
  ] as const)
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << bits) - 1n), (value) => {
        const text = ipOfNumber(family, value);
        // An IPv4 address in IPv6's clothes is none to us.
        expect(ipNumber(text)).toBe(value >> 32n === 0xffffn && family === "ipv6" ? undefined : value);
      }),
    );
});
