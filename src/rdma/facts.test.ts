import { expect, test } from "bun:test";
import { readFixture, SysfsTree } from "../../test/fakes/sysfs.ts";
import { readRdma } from "./facts.ts";

test("readRdma() finds the netdevs by the GID tables, and IPoIB links by the function", () => {
  using tree = new SysfsTree(readFixture("mlx5"));
  expect(readRdma(tree.root)).toEqual({
    supported: true,
    devices: [
      { name: "mlx5_0", pciAddress: "0000:3b:00.0", overEthernet: true, ifnames: ["ens1f0np0"] },
      { name: "mlx5_1", pciAddress: "0000:3b:00.1", overEthernet: false, ifnames: ["ibs1f1"] },
      { name: "mlx5_2", pciAddress: "0000:3b:00.2", overEthernet: true, ifnames: ["ens1f0v0"] },
      { name: "mlx5_3", pciAddress: "0000:3b:00.3", overEthernet: true, ifnames: [] },
      {
        name: "mlx5_4",
        pciAddress: "0000:3b:00.0",
        subfunction: "mlx5_core.sf.4",
        overEthernet: true,
        ifnames: ["ens1f0s88"],
      },
    ],
  });
});

test("readRdma() takes the function's own link, not its representors, while the GID table is empty", () => {
  const { "devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0/infiniband/mlx5_0/ports/1/gid_attrs/ndevs/0": _, ...fixture } =
    readFixture("mlx5");
  using tree = new SysfsTree(fixture);
  expect(readRdma(tree.root).devices[0]?.ifnames).toEqual(["ens1f0np0"]);
});

test("readRdma() says that a kernel without RDMA has none", () => {
  using tree = new SysfsTree(readFixture("igb"));
  expect(readRdma(tree.root)).toEqual({ supported: false, devices: [] });
});
