import { expect, test } from "bun:test";
import type { RdmaDevice } from "../rdma/facts.ts";
import { rdmaAttributes } from "./rdma-attributes.ts";

const TWO_PORTS: RdmaDevice = {
  name: "mlx4_0",
  nodeGuid: "0c42:a103:0065:1a2e",
  firmware: "2.42.5000",
  hasProvider: true,
  ports: [
    { number: 1, linkLayer: "InfiniBand", state: "ACTIVE", rateMbps: 56_000 },
    { number: 2, linkLayer: "Ethernet", state: "DOWN", rateMbps: 40_000, ifname: "eth2" },
  ],
  ifnames: ["eth2"],
};

test("rdmaAttributes() tells of the port that the link is", () => {
  expect(rdmaAttributes(TWO_PORTS, "eth2")).toEqual({
    rdma: { bool: true },
    rdmaDevice: { string: "mlx4_0" },
    rdmaFirmware: { string: "2.42.5000" },
    rdmaLinkLayer: { string: "Ethernet" },
    rdmaNodeGuid: { string: "0c42:a103:0065:1a2e" },
    rdmaPortState: { string: "DOWN" },
    rdmaProvider: { bool: true },
    rdmaSpeedMbps: { int: 40_000 },
  });
});

test("rdmaAttributes() tells of the first port where no link is one", () => {
  expect(rdmaAttributes(TWO_PORTS)).toMatchObject({
    rdmaLinkLayer: { string: "InfiniBand" },
    rdmaSpeedMbps: { int: 56_000 },
  });
});

test("rdmaAttributes() leaves out what is not known", () => {
  expect(rdmaAttributes({ name: "rxe0", ifnames: [] })).toEqual({
    rdma: { bool: true },
    rdmaDevice: { string: "rxe0" },
  });
  expect(rdmaAttributes(undefined)).toEqual({ rdma: { bool: false } });
});
