import { expect, test } from "bun:test";
import type { RdmaFacts } from "./facts.ts";
import { joinRdma } from "./join.ts";

const SEEN: RdmaFacts = {
  supported: true,
  devices: [
    {
      name: "mlx5_0",
      pciAddress: "0000:3b:00.0",
      nodeGuid: "0c42:a103:0065:1a2e",
      firmware: "20.31.1014",
      overEthernet: true,
      ports: [{ number: 1, linkLayer: "Ethernet", state: "ACTIVE", rateMbps: 100_000 }],
      ifnames: ["eth0"],
    },
    { name: "rxe0", firmware: "0.0.0", overEthernet: true, ports: [], ifnames: [] },
  ],
};

test("joinRdma() takes place and rate from sysfs, state and netdev from netlink", () => {
  const told = {
    netnsMode: "exclusive" as const,
    devices: [
      {
        index: 0,
        name: "mlx5_0",
        nodeGuid: "0c42:a103:0065:1a2e",
        firmware: "20.31.1014",
        protocol: "roce",
        ports: [{ number: 1, state: "DOWN", ifname: "ens1f0np0" }],
      },
      { index: 1, name: "rxe0", protocol: "roce", ports: [] },
    ],
  };
  expect(joinRdma(SEEN, told, new Set(["rxe0"]))).toEqual({
    supported: true,
    netnsMode: "exclusive",
    devices: [
      {
        name: "mlx5_0",
        pciAddress: "0000:3b:00.0",
        nodeGuid: "0c42:a103:0065:1a2e",
        firmware: "20.31.1014",
        overEthernet: true,
        ports: [{ number: 1, linkLayer: "Ethernet", state: "DOWN", rateMbps: 100_000, ifname: "ens1f0np0" }],
        ifnames: ["ens1f0np0"],
        hasProvider: false,
      },
      // Without firmware: sysfs says zeros, netlink nothing.
      { name: "rxe0", overEthernet: true, ports: [], ifnames: [], hasProvider: true },
    ],
  });
});

test("joinRdma() keeps what sysfs shows where the kernel has no netlink for it", () => {
  expect(joinRdma(SEEN, undefined, undefined)).toEqual(SEEN);
});

test("joinRdma() has a device that another namespace's sysfs does not show, and knows RoCE by its protocol", () => {
  const told = {
    devices: [{ index: 3, name: "mlx5_7", protocol: "roce", ports: [{ number: 1, state: "ACTIVE" }] }],
  };
  expect(joinRdma({ supported: true, devices: [] }, told, undefined).devices).toEqual([
    { name: "mlx5_7", overEthernet: true, ports: [{ number: 1, state: "ACTIVE" }], ifnames: [] },
  ]);
});
