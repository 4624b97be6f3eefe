import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSmallFile, readSmallFiles, writeSmallFile } from "./small-file.ts";
import { SysError } from "./sys-error.ts";

const directory = mkdtempSync(join(tmpdir(), "netferry-small-file-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("readSmallFile() answers a sysctl without its newline", () => {
  expect(readSmallFile("/proc/sys/kernel/ostype")).toBe("Linux");
});

test("readSmallFile() throws SysError for what is not there, and refuses what does not fit", async () => {
  expect(() => readSmallFile("/proc/sys/kernel/nonexistent")).toThrow(SysError);
  const path = join(directory, "long");
  await Bun.write(path, "x".repeat(4096));
  expect(() => readSmallFile(path)).toThrow("longer than");
});

test("writeSmallFile() writes the text, which readSmallFile() reads, empty too", async () => {
  const path = join(directory, "value");
  await Bun.write(path, "");
  expect(readSmallFile(path)).toBe("");
  writeSmallFile(path, "12");
  expect(readSmallFile(path)).toBe("12");
});

test("readSmallFiles() answers the texts in the order of the names, undefined for what cannot be read", () => {
  expect(readSmallFiles("/proc/sys/kernel", ["ostype", "nonexistent", "ngroups_max", "random", "ostype"])).toEqual([
    "Linux",
    undefined,
    readSmallFile("/proc/sys/kernel/ngroups_max"),
    undefined, // a directory
    "Linux",
  ]);
});

test("readSmallFiles() throws SysError when the directory is not there", () => {
  expect(() => readSmallFiles("/proc/sys/nonexistent", ["ostype"])).toThrow(SysError);
});
