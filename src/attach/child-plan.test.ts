import { expect, test } from "bun:test";
import { aRoute } from "../../test/fakes/facts.ts";
import { link, snapshot } from "../claims/testing.ts";
import type { InterfaceConfig } from "../config/interface.ts";
import { parseNetworkConfig } from "../config/network-config.ts";
import { planChild, withChildDefaults } from "./child-plan.ts";
import { needsHostRules, planAttach } from "./plan.ts";

const KEY = { claimUid: "claim", request: "nic", device: "eth1", shareId: "" };

test("planChild() makes a macvlan that bridges and an ipvlan of layer 2, unless a mode is given", () => {
  const made = (config: InterfaceConfig) => planChild(config, link());
  expect(made({})).toBeUndefined();
  expect(made({ type: "Passthrough" })).toBeUndefined();
  expect(made({ type: "MACVLAN" })).toEqual({ kind: "macvlan", kindData: "0800010004000000" });
  expect(made({ type: "MACVLAN", macvlan: { mode: "vepa" } })).toEqual({
    kind: "macvlan",
    kindData: "0800010002000000",
  });
  expect(made({ type: "IPVLAN" })).toEqual({ kind: "ipvlan", kindData: "0600010000000000" });
  expect(made({ type: "IPVLAN", ipvlan: { mode: "l3" } })).toEqual({ kind: "ipvlan", kindData: "0600010001000000" });
  expect(made({ type: "VLAN", vlan: { id: 5 } })).toEqual({
    kind: "vlan",
    kindData: "06000100050000000600050081000000",
  });
});

test("planChild() refuses parents that cannot carry the child", () => {
  const refused =
    (config: InterfaceConfig, parent = link()) =>
    () =>
      planChild({ type: "MACVLAN", ...config }, parent);
  expect(refused({ mtu: 1501 })).toThrow(
    "interface.mtu is 1501, but a link on eth1 has at most the MTU of eth1, which is 1500",
  );
  expect(refused({ mtu: 1500 })).not.toThrow();
  expect(refused({}, link({ flags: 0 }))).toThrow("eth1 is down, and nothing passes through a link that stands on it");
  expect(refused({}, link({ arpType: 32 }))).toThrow("interface.type is MACVLAN, but eth1 is no Ethernet link");
});

test("planAttach() leaves to the host what the host has, and gives the child what is configured", () => {
  const host = snapshot({
    addresses: [{ ifindex: 7, family: "ipv4", local: "10.0.0.5", prefixLength: 24, scope: 0, flags: 0x80 }],
    routes: [aRoute({ table: 100, gateway: "10.0.0.1" })],
    neighbors: [
      { ifindex: 7, family: "ipv4", destination: "10.0.0.9", address: "02:00:00:00:00:09", state: 0x80, flags: 0 },
    ],
  });
  const bare = parseNetworkConfig({ interface: { type: "MACVLAN", addressing: "Unnumbered" } }, "test");
  expect(needsHostRules(bare, host)).toBe(false);
  expect(planAttach(bare, host)).toMatchObject({ ifname: "eth1", child: { kind: "macvlan" } });
  expect(planAttach(bare, host).steps.map(({ op }) => op)).toEqual(["setMtu", "rename", "up"]);
  const full = parseNetworkConfig(
    {
      interface: {
        type: "IPVLAN",
        name: "net1",
        addresses: ["10.0.0.6/24"],
        mtu: 1400,
        arpIgnore: 1,
        gsoMaxSize: 9000,
      },
    },
    "test",
  );
  const withSizes = { ...host, link: link({ gsoMaxSize: 65536 }) };
  expect(planAttach(full, withSizes).steps.map(({ op }) => op)).toEqual([
    "setMtu",
    "setOffloadSizes",
    "rename",
    "setSysctl",
    "addAddress",
    "up",
  ]);
});

test("withChildDefaults() gives a macvlan an address of its own for the claim's life", () => {
  const address = (key: typeof KEY, given: object = {}) =>
    withChildDefaults({ interface: { type: "MACVLAN", ...given } }, key).interface?.hardwareAddr;
  expect(address(KEY)).toMatch(/^.[26ae](:[0-9a-f]{2}){5}$/);
  expect(address(KEY)).toBe(address(KEY));
  expect(address({ ...KEY, shareId: "other" })).not.toBe(address(KEY));
  expect(address(KEY, { hardwareAddr: "02:00:00:00:00:01" })).toBe("02:00:00:00:00:01");
});

test("withChildDefaults() keeps SLAAC on an ipvlan from going by the address that all share", () => {
  const mode = (given: InterfaceConfig) => withChildDefaults({ interface: given }, KEY).interface?.addrGenMode;
  expect(mode({ type: "IPVLAN", addressing: "SLAAC" })).toBe(3);
  expect(mode({ type: "IPVLAN" })).toBeUndefined();
  expect(mode({ type: "MACVLAN", addressing: "SLAAC" })).toBeUndefined();
  expect(withChildDefaults({}, KEY)).toEqual({});
});
