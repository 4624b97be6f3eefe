import { expect, test } from "bun:test";
import { cpioArchive } from "./cpio.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("cpioArchive() lays a file out as the kernel's buffer-format.rst draws it", () => {
  const archive = cpioArchive([{ path: "m/a", bytes: Buffer.from("hello") }]);
  const fields = ["00000001", "000081ed", "00000000", "00000000", "00000001", "00000000", "00000005"];
  expect(text(archive.subarray(0, 6 + 13 * 8))).toBe(
    `070701${[...fields, "00000000", "00000000", "00000000", "00000000", "00000004", "00000000"].join("")}`,
  );
  expect(text(archive.subarray(110, 116))).toBe("m/a\0\0\0"); // 110 + 4, padded to 116
  expect(text(archive.subarray(116, 124))).toBe("hello\0\0\0");
  expect(text(archive.subarray(124, 130))).toBe("070701");
});

test("cpioArchive() ends with the trailer, on a multiple of four", () => {
  const archive = cpioArchive([{ path: "bin" }]);
  expect(text(archive)).toContain("TRAILER!!!\0");
  expect(archive.length % 4).toBe(0);
  expect(text(archive.subarray(14, 22))).toBe("000041ed"); // a folder
});
