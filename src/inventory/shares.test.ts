import { expect, test } from "bun:test";
import type { Device } from "./device.ts";
import { withShares } from "./shares.ts";

test("withShares() shares links, and nothing that has none", () => {
  const sharing = { isShareable: () => true, maxShares: 3 };
  const link: Device = { name: "eth1", identity: { ifname: "eth1" }, attributes: {} };
  expect(withShares(link, sharing)).toEqual({ ...link, shares: 3 });
  expect(withShares(link, { ...sharing, isShareable: () => false })).toEqual(link);
  const bare: Device = { name: "pci-0000-05-00-0", identity: { rdmaName: "mlx5_0" }, attributes: {} };
  expect(withShares(bare, sharing)).toEqual(bare);
});
