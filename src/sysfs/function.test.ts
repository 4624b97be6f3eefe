import { expect, test } from "bun:test";
import { SysfsTree } from "../../test/fakes/sysfs.ts";
import { readCharDevice } from "./char-device.ts";
import { hasPciDriver, readFunction } from "./function.ts";

const PF = "devices/pci0000:3a/0000:3b:00.0";
const VF = "devices/pci0000:3a/0000:3b:10.2";

function tree(more: ConstructorParameters<typeof SysfsTree>[0] = {}): SysfsTree {
  return new SysfsTree({
    "bus/pci/devices/0000:3b:00.0": { link: `../../../${PF}` },
    "bus/pci/devices/0000:3b:10.2": { link: `../../../${VF}` },
    [`${PF}/class`]: "0x020000\n",
    [`${PF}/driver`]: { link: "../../../bus/pci/drivers/igb" },
    [`${PF}/sriov_totalvfs`]: "7\n",
    [`${PF}/sriov_numvfs`]: "2\n",
    [`${PF}/virtfn0`]: { link: "../0000:3b:10.0" },
    [`${PF}/virtfn1`]: { link: "../0000:3b:10.2" },
    [`${VF}/class`]: "0x020000\n",
    [`${VF}/driver`]: { link: "../../../bus/pci/drivers/vfio-pci" },
    [`${VF}/driver_override`]: "vfio-pci\n",
    [`${VF}/physfn`]: { link: "../0000:3b:00.0" },
    [`${VF}/reset`]: "",
    [`${VF}/reset_method`]: "flr bus\n",
    [`${VF}/iommu_group`]: { link: "../../../kernel/iommu_groups/12" },
    "kernel/iommu_groups/12/devices/0000:3b:10.2": { link: `../../../../${VF}` },
    "bus/pci/drivers/vfio-pci/bind": "",
    "class/vfio/12/dev": "243:0\n",
    ...more,
  });
}

test("readFunction() reads driver, group, ways to reset, and the place under a PF", () => {
  using sysfs = tree();
  expect(readFunction(sysfs.root, "0000:3b:10.2")).toEqual({
    address: "0000:3b:10.2",
    driver: "vfio-pci",
    driverOverride: "vfio-pci",
    resetMethods: ["flr", "bus"],
    iommuGroup: { id: 12, members: [{ address: "0000:3b:10.2", driver: "vfio-pci", classCode: "020000" }] },
    vf: { pf: "0000:3b:00.0", index: 1, pfDriver: "igb" },
    totalVfs: 0,
    numVfs: 0,
  });
  expect(readFunction(sysfs.root, "0000:3b:00.0")).toEqual({
    address: "0000:3b:00.0",
    driver: "igb",
    resetMethods: [],
    totalVfs: 7,
    numVfs: 2,
  });
});

test("readFunction() knows no override where the kernel writes (null), and kernels without reset_method", () => {
  using sysfs = tree({ [`${PF}/driver_override`]: "(null)\n", [`${PF}/reset`]: "" });
  expect(readFunction(sysfs.root, "0000:3b:00.0")).toMatchObject({ resetMethods: ["reset"] });
  expect(readFunction(sysfs.root, "0000:3b:00.0")).not.toHaveProperty("driverOverride");
});

test("what is not there is undefined", () => {
  using sysfs = tree();
  expect(readFunction(sysfs.root, "0000:3b:11.0")).toBeUndefined();
  expect(hasPciDriver(sysfs.root, "vfio-pci")).toBe(true);
  expect(hasPciDriver(sysfs.root, "igb_uio")).toBe(false);
  expect(readCharDevice(sysfs.root, "vfio", "12")).toEqual({ major: 243, minor: 0 });
  expect(readCharDevice(sysfs.root, "vfio", "13")).toBeUndefined();
});
