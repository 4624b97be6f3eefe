import { expect, test } from "bun:test";
import type { Address } from "../netlink/address.ts";
import { slaacState, withSlaacDefaults } from "./slaac.ts";

function address(local: string, over: Partial<Address> = {}): Address {
  return { ifindex: 7, family: "ipv6", local, prefixLength: 64, scope: 0, flags: 0x100, ...over };
}

test("slaacState() has the global addresses that can be used, without temporary ones", () => {
  const addresses = [
    address("fe80::5", { scope: 253 }),
    address("fd02::5"),
    address("fd01::5"),
    address("fd01::abcd", { flags: 0x101 }),
    address("10.0.0.5", { family: "ipv4", prefixLength: 24 }),
    address("fd03::5", { flags: 0x140 }),
  ];
  expect(slaacState(addresses, 1500)).toEqual({ addresses: ["fd01::5/64", "fd02::5/64"] });
});

test("slaacState() tells a prefix that came late from none at all", () => {
  expect(slaacState([address("fd01::5", { flags: 0x140 })], 1500)).toEqual({
    addresses: [],
    reason: "AddressTentative",
    problem: "duplicate address detection was not over after 1.5 s",
  });
  expect(slaacState([address("fe80::5", { scope: 253 })], 1500)).toMatchObject({ addresses: [], reason: "NoAddress" });
});

test("withSlaacDefaults() skips duplicate address detection where the hardware address is kept or the address random", () => {
  const defaults = { disableIPv6: false, acceptRA: 2, routerSolicitationDelay: 0, routerSolicitationInterval: 1 };
  const addressing = "SLAAC" as const;
  expect(withSlaacDefaults({ addressing })).toEqual({ addressing, ...defaults, dadTransmits: 0 });
  const hardwareAddr = "02:00:00:00:00:01";
  expect(withSlaacDefaults({ addressing, hardwareAddr })).toEqual({ addressing, hardwareAddr, ...defaults });
  expect(withSlaacDefaults({ addressing, acceptRA: 1, dadTransmits: 2 })).toEqual({
    addressing,
    ...defaults,
    acceptRA: 1,
    dadTransmits: 2,
  });
  expect(withSlaacDefaults({ addressing, type: "MACVLAN" })).toEqual({ addressing, type: "MACVLAN", ...defaults });
  const ipvlan = { addressing, type: "IPVLAN" } as const;
  expect(withSlaacDefaults(ipvlan)).toEqual({ ...ipvlan, ...defaults, dadTransmits: 0 });
  expect(withSlaacDefaults({ ...ipvlan, dadTransmits: 1 })).toEqual({ ...ipvlan, ...defaults, dadTransmits: 1 });
  expect(withSlaacDefaults({ acceptRA: 1 })).toEqual({ acceptRA: 1 });
});
