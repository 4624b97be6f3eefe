import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { codeOf, unmapOwnCode } from "./own-code.ts";

const MAPS = `00200000-01a39000 r--p 00000000 fe:00 1442 /opt/a b/netferry
01a40000-0684a000 r-xp 01838000 fe:00 1442 /opt/a b/netferry
06867000-0748a000 rw-p 0664a000 fe:00 1442 /opt/a b/netferry
7f2e0c1f7000-7f2e4c1f7000 rwxp 00000000 00:00 0
7f2e4c562000-7f2e4c6b8000 r-xp 00026000 fe:00 99 /usr/lib/x86_64-linux-gnu/libc.so.6
7fff71d97000-7fff71db8000 rw-p 00000000 00:00 0 [stack]
`;

function fileBackedKib(): number {
  return Number(/RssFile:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

test("codeOf() finds the code of the executable alone, and nothing that can be written", () => {
  expect(codeOf("/opt/a b/netferry", MAPS)).toEqual([{ address: 0x01a40000, lengthBytes: 0x0684a000 - 0x01a40000 }]);
});

test("codeOf() finds nothing of a file that is not mapped", () => {
  expect(codeOf("/opt/netferry (deleted)", MAPS)).toEqual([]);
});

test("unmapOwnCode() makes this process smaller, and it runs on", () => {
  const before = fileBackedKib();
  expect(unmapOwnCode()).toBeGreaterThan(10 << 20);
  expect(before - fileBackedKib()).toBeGreaterThan(5 << 10);
});
