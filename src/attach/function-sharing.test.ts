import { expect, test } from "bun:test";
import type { AttachPlan, FunctionPlan } from "../claims/record.ts";
import { claimDevice } from "../claims/testing.ts";
import { checkFunctions } from "./function-sharing.ts";

const PF = "0000:3b:00.0";

function holder(device: string, pciAddress: string, plan: Partial<AttachPlan>) {
  const published = { name: device, identity: { pciAddress }, attributes: {} };
  return claimDevice({ claimUid: device, claimName: device, device, published, plan: { steps: [], ...plan } });
}

const vfPlan = (more: Partial<FunctionPlan> = {}): FunctionPlan => ({
  address: "0000:3b:10.0",
  vf: { pf: PF, index: 0 },
  resets: true,
  ...more,
});
const configured = holder("vf", "0000:3b:10.0", {
  ifname: "net1",
  pciFunction: vfPlan({ vfSettings: { trust: true } }),
});
const pf = holder("pf", PF, { ifname: "net1" });

test("checkFunctions() keeps a PF on the host while a VF has settings, whoever comes first", () => {
  expect(() => checkFunctions([pf], [configured])).toThrow(
    "device pf is the PF of vf, whose vf settings for claim ns/vf",
  );
  expect(() => checkFunctions([configured], [pf])).toThrow("device vf cannot be given vf: its PF pf is claimed");
  expect(() => checkFunctions([configured, pf], [])).toThrow("device pf is the PF of vf");
});

test("checkFunctions() lets a PF go whose VFs have no settings, and one that stays as a parent", () => {
  const plain = holder("vf", "0000:3b:10.0", { ifname: "net1", pciFunction: vfPlan() });
  const parent = holder("pf", PF, { ifname: "net1", child: { kind: "macvlan", kindData: "" } });
  checkFunctions([pf], [plain]);
  checkFunctions([plain], [pf]);
  checkFunctions([configured], [parent]);
});

test("checkFunctions() gives an IOMMU group to one claim, and a PF no other driver under a claimed VF", () => {
  const vfio = (device: string, address: string, iommuGroup: number) =>
    holder(device, address, { pciFunction: { address, driver: "vfio-pci", iommuGroup, resets: true } });
  checkFunctions([vfio("a", "0000:3b:10.0", 1)], [vfio("b", "0000:3b:10.2", 2)]);
  expect(() => checkFunctions([vfio("a", "0000:3b:10.0", 1)], [vfio("b", "0000:3b:10.2", 1)])).toThrow(
    "device a shares IOMMU group 1 with b of claim ns/b",
  );
  const plain = holder("vf", "0000:3b:10.0", { ifname: "net1", pciFunction: vfPlan() });
  expect(() => checkFunctions([vfio("pf", PF, 3)], [plain])).toThrow("would be gone with the PF's driver");
});
