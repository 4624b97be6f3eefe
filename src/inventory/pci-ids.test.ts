import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../lib/errors.ts";
import { builtInPciIds, loadPciNames, PciIds } from "./pci-ids.ts";

const LIST = new PciIds(
  [
    "# comment",
    "1af4  Red Hat, Inc.",
    "\t1041  Virtio 1.0 network device",
    "\t\t1af4 1041  sub",
    "8086  Intel",
    "\t1521  I350",
  ].join("\n"),
);

test("PciIds names vendors and devices, the last line included", () => {
  expect(LIST.vendorName("1af4")).toBe("Red Hat, Inc.");
  expect(LIST.deviceName("1af4", "1041")).toBe("Virtio 1.0 network device");
  expect(LIST.deviceName("8086", "1521")).toBe("I350");
});

test("PciIds does not give a device of the next vendor, a subsystem or a comment", () => {
  expect(LIST.deviceName("1af4", "1521")).toBeUndefined();
  expect(LIST.deviceName("8086", "1041")).toBeUndefined();
  expect(LIST.vendorName("1041")).toBeUndefined();
  expect(LIST.vendorName("ffff")).toBeUndefined();
});

test("builtInPciIds knows the NICs of the clouds and of AI nodes", () => {
  expect(builtInPciIds.vendorName("15b3")).toBe("Mellanox Technologies");
  expect(builtInPciIds.deviceName("15b3", "1021")).toBe("MT2910 Family [ConnectX-7]");
  expect(builtInPciIds.deviceName("1d0f", "efa1")).toBe("Elastic Fabric Adapter (EFA)");
  expect(builtInPciIds.deviceName("1ae0", "0042")).toContain("gVNIC");
  expect(builtInPciIds.deviceName("8086", "1521")).toBe("I350 Gigabit Network Connection");
});

test("loadPciNames() throws a ConfigError that names PCIDB_PATH when the file cannot be read", () => {
  expect(() => loadPciNames("/nonexistent/pci.ids")).toThrow(ConfigError);
  expect(() => loadPciNames("/nonexistent/pci.ids")).toThrow(/PCIDB_PATH.*\/nonexistent\/pci.ids/);
  expect(loadPciNames("")).toBe(builtInPciIds);
});

test("loadPciNames() reads the names of another list in place of the built-in ones", () => {
  using directory = new DisposableStack();
  const path = mkdtempSync(join(tmpdir(), "netferry-pci-"));
  directory.defer(() => rmSync(path, { recursive: true }));
  writeFileSync(join(path, "pci.ids"), "15b3  Cards of our own\n\t1021  Number 7\n");
  const names = loadPciNames(join(path, "pci.ids"));
  expect([names.vendorName("15b3"), names.deviceName("15b3", "1021"), names.vendorName("8086")]).toEqual([
    "Cards of our own",
    "Number 7",
    undefined,
  ]);
});
