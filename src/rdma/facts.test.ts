import { expect, test } from "bun:test";
import { readFixture, SysfsTree } from "../../test/fakes/sysfs.ts";
import { readRdma } from "./facts.ts";

const ACTIVE = { state: "ACTIVE", number: 1 };

test("readRdma() finds the netdevs by the GID tables, and IPoIB links by the function", () => {
  using tree = new SysfsTree(readFixture("mlx5"));
  const ethernet = { ...ACTIVE, linkLayer: "Ethernet" };
  expect(readRdma(tree.root)).toEqual({
    supported: true,
    devices: [
      {
        name: "mlx5_0",
        pciAddress: "0000:3b:00.0",
        nodeGuid: "0c42:a103:0065:1a2e",
        firmware: "20.31.1014",
        overEthernet: true,
        ports: [{ ...ethernet, rateMbps: 100_000, ifname: "ens1f0np0" }],
        ifnames: ["ens1f0np0"],
      },
      {
        name: "mlx5_1",
        pciAddress: "0000:3b:00.1",
        nodeGuid: "0c42:a103:0065:1a2f",
        firmware: "20.31.1014",
        overEthernet: false,
        ports: [{ ...ACTIVE, linkLayer: "InfiniBand", rateMbps: 200_000 }],
        ifnames: ["ibs1f1"],
      },
      {
        name: "mlx5_2",
        pciAddress: "0000:3b:00.2",
        overEthernet: true,
        ports: [{ ...ethernet, ifname: "ens1f0v0" }],
        ifnames: ["ens1f0v0"],
      },
      { name: "mlx5_3", pciAddress: "0000:3b:00.3", overEthernet: true, ports: [ethernet], ifnames: [] },
      {
        name: "mlx5_4",
        pciAddress: "0000:3b:00.0",
        subfunction: "mlx5_core.sf.4",
        overEthernet: true,
        ports: [{ ...ethernet, ifname: "ens1f0s88" }],
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
