import { expect, test } from "bun:test";
import { join } from "node:path";
import { ARCHITECTURES, type Architecture, elfMachine } from "../../deploy/build/architecture.ts";
import { fetchLibnl } from "../../deploy/build/libnl.ts";
import { embeddedMachines, executableBytes, PROJECT } from "./executable.ts";

const CACHE = join(PROJECT, ".cache");
const OTHER: Readonly<Record<Architecture, Architecture>> = { amd64: "arm64", arm64: "amd64" };

test.each(["amd64", "arm64"] as const)("the %s executable carries libnl of its own architecture alone", async (own) => {
  const executable = await executableBytes(own);
  const machine = ARCHITECTURES[own].elfMachine;
  expect(embeddedMachines(executable)).toEqual([machine, machine]);
  for (const { path } of await fetchLibnl(own, CACHE)) {
    const library = await Bun.file(path).bytes();
    expect(elfMachine(library)).toBe(machine);
    expect(executable.includes(library)).toBeTrue();
  }
  for (const { path } of await fetchLibnl(OTHER[own], CACHE)) {
    expect(executable.includes(await Bun.file(path).bytes())).toBeFalse();
  }
});

test("elfMachine() is undefined when the bytes are not ELF", () => {
  expect(elfMachine(new TextEncoder().encode("#!/bin/sh\necho this is no library\n"))).toBeUndefined();
});
