import { expect, test } from "bun:test";
import { type Machine, machineArguments } from "./machine.ts";

const SMALL: Machine = { memoryMiB: 2048, cpus: 2, numa: 1, igb: 0, virtio: 0, iommu: false };

function devices(machine: Partial<Machine>): string[] {
  const argv = machineArguments({ ...SMALL, ...machine });
  return argv.filter((_, index) => argv[index - 1] === "-device");
}

test("machineArguments() gives each NUMA node a host bridge, its processors and its share of memory", () => {
  const argv = machineArguments({ ...SMALL, numa: 2 });
  expect(argv.filter((_, index) => argv[index - 1] === "-numa")).toEqual([
    "node,nodeid=0,cpus=0,memdev=memory0",
    "node,nodeid=1,cpus=1,memdev=memory1",
  ]);
  expect(argv).toContain("memory-backend-ram,id=memory1,size=1024M");
  expect(devices({ numa: 2 })).toEqual([
    "pxb-pcie,id=bridge0,bus=pcie.0,bus_nr=64,numa_node=0",
    "pxb-pcie,id=bridge1,bus=pcie.0,bus_nr=128,numa_node=1",
  ]);
});

test("machineArguments() deals igb ports out to the nodes, each below a root port", () => {
  const rootPorts = devices({ numa: 2, igb: 3 }).filter((device) => device.startsWith("pcie-root-port"));
  expect(rootPorts.map((port) => /bus=(\w+)/.exec(port)?.[1])).toEqual(["bridge0", "bridge1", "bridge0"]);
});

test("machineArguments() has one host bridge where there is one node", () => {
  expect(devices({ igb: 1 })).toEqual([
    "pcie-root-port,id=port0,bus=pcie.0,chassis=1,slot=1",
    "igb,bus=port0,netdev=igb0,mac=52:54:00:bb:00:00,romfile=",
  ]);
  expect(devices({ iommu: true })).toEqual(["intel-iommu,intremap=on,caching-mode=on"]);
});
