import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { readFixture, SysfsTree } from "../../test/fakes/sysfs.ts";
import { readLinkLocations } from "./net.ts";
import { readPciDevices } from "./pci.ts";

test("readPciDevices() reads a PF with its VFs", () => {
  using tree = new SysfsTree(readFixture("mlx5"));
  const devices = readPciDevices(tree.root);
  expect(devices.map((device) => [device.address, device.driver, device.physfn])).toEqual([
    ["0000:3b:00.0", "mlx5_core", undefined],
    ["0000:3b:00.1", "mlx5_core", undefined],
    ["0000:3b:00.2", "mlx5_core", "0000:3b:00.0"],
    ["0000:3b:00.3", "mlx5_core", "0000:3b:00.0"],
    ["0000:3b:00.4", "vfio-pci", "0000:3b:00.0"],
  ]);
  expect(devices[0]).toEqual({
    address: "0000:3b:00.0",
    classCode: "020000",
    vendor: "15b3",
    device: "101d",
    subsystemVendor: "15b3",
    subsystemDevice: "0083",
    driver: "mlx5_core",
    numaNode: 0,
    pcieRoot: "pci0000:3a",
    ifnames: ["ens1f0np0", "ens1f0npf0vf0", "ens1f0npf0vf1", "ens1f0npf0vf2"],
    rdmaNames: ["mlx5_0"],
    virtfns: ["0000:3b:00.2", "0000:3b:00.3", "0000:3b:00.4"],
    sriovTotalVfs: 8,
    sriovNumVfs: 3,
  });
});

test("readPciDevices() leaves out what is no network function, and a NUMA node that the firmware does not tell", () => {
  using tree = new SysfsTree(readFixture("igb"));
  const devices = readPciDevices(tree.root);
  expect(devices.map((device) => [device.address, device.numaNode, device.driver])).toEqual([
    ["0000:01:00.0", undefined, "igb"],
    ["0000:01:00.1", undefined, "igb"],
    ["0000:01:00.2", undefined, undefined],
  ]);
});

test("readPciDevices() reads RDMA functions of every class", () => {
  using tree = new SysfsTree(readFixture("efa"));
  const found = readPciDevices(tree.root).map((device) => [device.classCode, device.rdmaNames[0]]);
  expect(found).toContainEqual(["00ff00", "erdma_0"]);
  expect(found).toContainEqual(["020000", "rdmap16s25"]);
});

test("readPciDevices() leaves out a device that vanished after it was listed", () => {
  using tree = new SysfsTree(readFixture("mlx5"));
  rmSync(join(tree.root, "devices/pci0000:3a/0000:3a:00.0/0000:3b:00.2"), { recursive: true });
  expect(readPciDevices(tree.root).map((device) => device.address)).not.toContain("0000:3b:00.2");
});

test("readPciDevices() gives nothing where there is no PCI bus", () => {
  expect(readPciDevices("/nonexistent")).toEqual([]);
});

test("readLinkLocations() tells virtual links, functions, subfunctions and representors apart", () => {
  using tree = new SysfsTree(readFixture("mlx5"));
  expect(readLinkLocations(tree.root, ["lo", "ens1f0np0", "ens1f0s88", "ens1f0npf0vf1"])).toEqual({
    lo: { isVirtual: true },
    ens1f0np0: {
      isVirtual: false,
      pciAddress: "0000:3b:00.0",
      devPort: 0,
      physPortName: "p0",
      physSwitchId: "2e1a650003a1420c",
    },
    ens1f0s88: { isVirtual: false, pciAddress: "0000:3b:00.0", subfunction: "mlx5_core.sf.4", devPort: 0 },
    ens1f0npf0vf1: {
      isVirtual: false,
      pciAddress: "0000:3b:00.0",
      devPort: 0,
      physPortName: "pf0vf1",
      physSwitchId: "2e1a650003a1420c",
    },
  });
});

test("readLinkLocations() leaves out a link that this sysfs does not show", () => {
  using tree = new SysfsTree(readFixture("igb"));
  expect(Object.keys(readLinkLocations(tree.root, ["eno1", "elsewhere"]))).toEqual(["eno1"]);
});
