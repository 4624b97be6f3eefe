import { expect, test } from "bun:test";
import fc from "fast-check";
import { clampUtf8, isAttributeName, isVersion } from "./limits.ts";

test("clampUtf8() cuts at 64 bytes and never within a character", () => {
  expect(clampUtf8("a".repeat(65))).toBe("a".repeat(64));
  expect(clampUtf8(`${"a".repeat(63)}é`)).toBe("a".repeat(63));
  expect(clampUtf8("é".repeat(40))).toBe("é".repeat(32));
  expect(clampUtf8(`${"a".repeat(61)}😀`)).toBe("a".repeat(61));
  expect(clampUtf8("short")).toBe("short");
});

test("clampUtf8() gives a beginning of the text that fits", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 100 }), (text) => {
      const cut = clampUtf8(text);
      expect(text.startsWith(cut)).toBe(true);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(64);
      const [next = ""] = text.slice(cut.length);
      expect(cut === text || Buffer.byteLength(cut + next) > 64).toBe(true);
    }),
  );
});

test("isAttributeName() wants a C identifier and, before a slash, a DNS subdomain", () => {
  for (const good of ["mtu", "dra.net/ifName", "gce.dra.net/block_1", "a/_x"]) expect(isAttributeName(good)).toBe(true);
  const tooLong = `dra.net/${"a".repeat(33)}`;
  for (const bad of ["if-name", "1x", "", "Dra.net/x", "/x", "a/b/c", tooLong, `${"d".repeat(64)}/x`])
    expect(isAttributeName(bad)).toBe(false);
});

test("isVersion() follows Semantic Versioning 2.0.0", () => {
  for (const good of ["1.2.3", "28.43.1014", "1.0.0-rc.1+build.5"]) expect(isVersion(good)).toBe(true);
  for (const bad of ["1.2", "v1.2.3", "01.2.3", "1.2.3-01", "1.2.3-", `1.2.3-${"a".repeat(64)}`])
    expect(isVersion(bad)).toBe(false);
});
