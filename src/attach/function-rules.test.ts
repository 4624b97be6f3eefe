import { describe, expect, test } from "bun:test";
import type { NetworkConfig } from "../config/network-config.ts";
import type { VfView } from "../kernel/calls.ts";
import type { PciFunction } from "../sysfs/function.ts";
import { decideFunction, type FunctionFacts } from "./function-rules.ts";

const PF: PciFunction = { address: "0000:3b:00.0", driver: "igb", resetMethods: ["flr"], totalVfs: 7, numVfs: 0 };
const MEMBER = { address: "0000:3b:10.0", driver: "igbvf", classCode: "020000" };
const VF: PciFunction = {
  address: "0000:3b:10.0",
  driver: "igbvf",
  resetMethods: ["flr"],
  iommuGroup: { id: 12, members: [MEMBER] },
  vf: { pf: PF.address, index: 3, pfDriver: "igb" },
  totalVfs: 0,
  numVfs: 0,
};
const VIEW: VfView = {
  pfIfname: "ens1f0",
  pfMtu: 1500,
  state: {
    mac: "02:00:00:00:00:01",
    vlan: { id: 0, qos: 0, protocol: "802.1Q" },
    minTxRate: 0,
    maxTxRate: 0,
    linkState: "auto",
    spoofCheck: true,
  },
};

function decide(config: NetworkConfig, more: Partial<FunctionFacts> = {}) {
  return decideFunction(config, {
    device: "pci-0000-3b-10-0",
    function: VF,
    vf: VIEW,
    hasVfioPci: true,
    carriesRdma: false,
    writable: true,
    ...more,
  });
}

/** Facts of a VF whose PF shows no link. */
function pfAway(pfDriver?: string) {
  const { pfDriver: _, ...place } = { pf: PF.address, index: 3, pfDriver: "" };
  const pci = { ...VF, vf: { ...place, ...(pfDriver === undefined ? {} : { pfDriver }) } };
  return () =>
    decideFunction(
      { vf: { mac: "02:00:00:00:00:02" } },
      { device: "d", function: pci, hasVfioPci: true, carriesRdma: false, writable: true },
    );
}

describe("decideFunction()", () => {
  test("resets a VF, whatever the configuration, and leaves other functions alone", () => {
    const plan = { address: VF.address, vf: { pf: PF.address, index: 3 }, resets: true };
    expect(decide({})).toEqual({ plan, leftOut: [] });
    expect(
      decideFunction({}, { device: "d", function: PF, hasVfioPci: true, carriesRdma: false, writable: true }),
    ).toEqual({
      leftOut: [],
    });
  });

  test("says which VF is not reset, and why", () => {
    const noReset = decide({}, { function: { ...VF, resetMethods: [] } });
    expect(noReset.plan?.resets).toBe(false);
    expect(noReset.leftOut).toEqual([
      "VF pci-0000-3b-10-0 is not reset between pods: its function has no way to be reset",
    ]);
    expect(decide({}, { writable: false }).leftOut[0]).toContain("sysfs is mounted read-only");
    expect(() => decide({ driver: "vfio-pci" }, { writable: false })).toThrow("cannot be bound to vfio-pci: sysfs is");
    expect(decide({}, { carriesRdma: true }).leftOut[0]).toEndWith("that would take its RDMA device away");
  });

  test("gives the PF's settings whole: a VLAN has a priority and a protocol", () => {
    expect(decide({ vf: { vlan: { id: 5 }, spoofCheck: false } }).plan?.vfSettings).toEqual({
      vlan: { id: 5, qos: 0, protocol: "802.1Q" },
      spoofCheck: false,
    });
  });

  test("refuses vf where nobody can set it", () => {
    const onPf = { device: "d", function: PF, hasVfioPci: true, carriesRdma: false, writable: true };
    expect(() => decideFunction({ vf: { trust: true } }, onPf)).toThrow("vf is for VFs");
    expect(pfAway("vfio-pci")).toThrow("0000:3b:00.0, which is bound to vfio-pci");
    expect(pfAway("igb")).toThrow("whose link is not in the host's network namespace");
    expect(() => decide({ vf: { trust: true } })).toThrow(
      "the driver of ens1f0, the PF of pci-0000-3b-10-0, does not support vf.trust",
    );
  });

  test("binds to vfio-pci what an IOMMU keeps apart, and leaves what has it already", () => {
    expect(decide({ driver: "vfio-pci" }).plan).toEqual({
      address: VF.address,
      vf: { pf: PF.address, index: 3 },
      driver: "vfio-pci",
      iommuGroup: 12,
      resets: true,
    });
    expect(decide({}, { function: { ...VF, driver: "vfio-pci" } })).toEqual({
      plan: { address: VF.address, vf: { pf: PF.address, index: 3 }, iommuGroup: 12, resets: false },
      leftOut: [],
    });
  });

  test("refuses vfio-pci without a driver, an IOMMU or a group of its own", () => {
    const vfio: NetworkConfig = { driver: "vfio-pci" };
    const { iommuGroup: _, ...noIommu } = VF;
    const beside = (more: object) => ({
      function: { ...VF, iommuGroup: { id: 12, members: [MEMBER, { ...MEMBER, address: "0000:3b:10.2", ...more }] } },
    });
    expect(() => decide(vfio, { hasVfioPci: false })).toThrow("modprobe vfio-pci");
    expect(() => decide(vfio, { function: noIommu })).toThrow("has no IOMMU group");
    expect(() => decide(vfio, beside({}))).toThrow("shares IOMMU group 12 with 0000:3b:10.2, which igbvf uses");
    expect(decide(vfio, beside({ driver: "pcieport", classCode: "060400" })).plan?.iommuGroup).toBe(12);
    expect(decide(vfio, beside({ driver: "vfio-pci" })).plan?.iommuGroup).toBe(12);
    const pf = { ...PF, numVfs: 2, iommuGroup: { id: 1, members: [] } };
    expect(() =>
      decideFunction(vfio, { device: "d", function: pf, hasVfioPci: true, carriesRdma: false, writable: true }),
    ).toThrow("d is a PF with 2 VFs");
  });
});
