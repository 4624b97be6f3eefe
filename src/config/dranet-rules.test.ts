/** The rules by which DRANET takes or refuses a configuration (pkg/apis/validation.go), one by one. */

import { expect, test } from "bun:test";
import { ClaimError, ConfigError } from "../lib/errors.ts";
import { configFor } from "./merge.ts";
import { parseNetworkConfig } from "./network-config.ts";
import { parseStrictJson } from "./strict-json.ts";

const link = (fields: object) => ({ interface: fields });
const route = (fields: object) => ({ routes: [{ destination: "10.0.0.0/8", gateway: "192.0.2.1", ...fields }] });
const rule = (fields: object) => ({ rules: [{ table: 100, ...fields }] });
const neighbor = (fields: object) => ({
  neighbors: [{ destination: "192.0.2.1", hardwareAddr: "02:00:00:00:00:01", ...fields }],
});

/** What the rule is about → configurations that it lets through, and those that it does not. */
const RULES: Readonly<Record<string, { readonly takes: readonly unknown[]; readonly refuses: readonly unknown[] }>> = {
  "keys are exact": {
    takes: [{}, link({}), { routes: [], rules: [], neighbors: [], ethtool: {} }],
    refuses: [{ Interface: {} }, link({ MTU: 1500 }), { apiVersion: "v1" }, route({ metric: 1 }), [], "text", 1],
  },
  "interface.name": {
    takes: ["eth0", "abcdefghijklmno", "a-b_c.d", "0", "nordküste0"].map((name) => link({ name })),
    refuses: ["abcdefghijklmnop", ".", "..", "a/b", "a b", "a\tb", "a:b", "eth€"].map((name) => link({ name })),
  },
  "interface.addresses": {
    takes: [[], ["10.0.0.1/24"], ["fd00::1/64", "10.0.0.1/32"]].map((addresses) => link({ addresses })),
    refuses: [["10.0.0.1"], ["10.0.0.1/33"], ["fd00::1/129"], ["x/24"], "10.0.0.1/24"].map((addresses) =>
      link({ addresses }),
    ),
  },
  "interface.mtu": {
    takes: [68, 1500, 65_536].map((mtu) => link({ mtu })),
    refuses: [67, 0, -1, 1.5, "1500", 2 ** 31].map((mtu) => link({ mtu })),
  },
  "interface.hardwareAddr": {
    takes: [
      ...["02:00:00:00:00:01", "02-00-00-00-00-01", "0200.0000.0001", "02:00:00:00:00:00:00:01"],
      Array.from({ length: 20 }, () => "02").join(":"), // IPoIB's
    ].map((hardwareAddr) => link({ hardwareAddr })),
    refuses: ["02:00:00:00:00", "zz:00:00:00:00:01", "020000000001", "02:00:00-00:00:01"].map((hardwareAddr) =>
      link({ hardwareAddr }),
    ),
  },
  "sizes of offloads": {
    takes: ["gsoMaxSize", "groMaxSize", "gsoIPv4MaxSize", "groIPv4MaxSize"].map((key) => link({ [key]: 1 })),
    refuses: ["gsoMaxSize", "groMaxSize", "gsoIPv4MaxSize", "groIPv4MaxSize"].map((key) => link({ [key]: 0 })),
  },
  "interface.arpIgnore": {
    takes: [0, 1, 2, 3, 8].map((arpIgnore) => link({ arpIgnore })),
    refuses: [-1, 4, 5, 7, 9].map((arpIgnore) => link({ arpIgnore })),
  },
  "interface.arpAnnounce": {
    takes: [0, 1, 2].map((arpAnnounce) => link({ arpAnnounce })),
    refuses: [-1, 3].map((arpAnnounce) => link({ arpAnnounce })),
  },
  "interface.vrf": {
    takes: [{ name: "blue" }, { name: "blue", table: 1 }, { name: "blue", table: 252 }].map((vrf) => link({ vrf })),
    refuses: [
      ...[{}, { table: 5 }, ...[-1, 0, 253, 254, 255].map((table) => ({ name: "blue", table }))].map((vrf) =>
        link({ vrf }),
      ),
      { ...link({ vrf: { name: "blue" } }), ...rule({ source: "10.0.0.0/8" }) },
    ],
  },
  routes: {
    takes: [
      route({}),
      route({ table: 0 }),
      route({ scope: 253, gateway: "" }),
      route({ source: "192.0.2.9" }),
      { routes: [{ destination: "10.0.0.0/8", scope: 253 }] },
      route({ destination: "::/0", gateway: "fd00::1", source: "fd00::2" }),
    ],
    refuses: [
      { routes: [{ gateway: "192.0.2.1" }] },
      { routes: [{ destination: "10.0.0.0/8" }] },
      ...[{ destination: "10.0.0.1" }, { scope: 254 }, { scope: 200 }, { table: -1 }].map(route),
      ...[{ gateway: "x" }, { source: "x" }, { gateway: "fd00::1" }, { source: "fd00::1" }].map(route),
    ],
  },
  rules: {
    takes: [
      { source: "10.0.0.0/8" },
      { destination: "fd00::/8" },
      { priority: 0 },
      { priority: 32_767 },
      { table: 0 },
      { source: "10.0.0.0/8", destination: "192.0.2.0/24" },
    ].map(rule),
    refuses: [
      { priority: -1 },
      { priority: 32_768 },
      { table: -1 },
      { source: "10.0.0.1" },
      { destination: "x" },
      { source: "10.0.0.0/8", destination: "fd00::/8" },
    ].map(rule),
  },
  neighbors: {
    takes: [{}, { destination: "fd00::1" }].map(neighbor),
    refuses: [{ destination: "" }, { hardwareAddr: "" }, { destination: "192.0.2.0/24" }, { hardwareAddr: "x" }].map(
      neighbor,
    ),
  },
  ethtool: {
    takes: [{ features: { "rx-gro": true } }, { privateFlags: { "any-name": false } }].map((ethtool) => ({ ethtool })),
    refuses: [{ features: { "rx-gro": "on" } }, { features: ["rx-gro"] }, { feature: {} }].map((ethtool) => ({
      ethtool,
    })),
  },
  "IPv6 settings": {
    takes: [
      ...[0, 1, 2].map((acceptRA) => link({ acceptRA })),
      ...[0, 1, 3].map((addrGenMode) => link({ addrGenMode })),
      ...[{ dadTransmits: 0 }, { routerSolicitationDelay: 0 }, { routerSolicitationInterval: 1 }].map(link),
      link({ disableIPv6: true, mtu: 1280 }),
    ],
    refuses: [
      ...[-1, 3].map((acceptRA) => link({ acceptRA })),
      ...[-1, 4].map((addrGenMode) => link({ addrGenMode })),
      ...[{ dadTransmits: -1 }, { routerSolicitationDelay: -1 }, { routerSolicitationInterval: 0 }].map(link),
      link({ acceptRA: 1, mtu: 1279 }),
    ],
  },
  "interface.type and addressing": {
    takes: [link({ type: "Passthrough" }), link({ addressing: "Static" }), link({ type: "IPVLAN", mtu: 1400 })],
    refuses: [
      link({ type: "ipvlan" }),
      link({ type: "Bridge" }),
      link({ addressing: "static" }),
      link({ addressing: "Unnumbered" }),
      link({ type: "IPVLAN", hardwareAddr: "02:00:00:00:00:01" }),
      link({ type: "IPVLAN", addressing: "DHCP" }),
      link({ dhcp: true, addresses: ["10.0.0.1/24"] }),
    ],
  },
};

const refused = (value: unknown) => {
  try {
    // As a class's, which may set everything.
    configFor([{ source: "FromClass", requests: [], parameters: value }], "nic");
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(ClaimError);
    return true;
  }
};

test.each(Object.entries(RULES))("%s: takes and refuses what DRANET does", (_, { takes, refuses }) => {
  expect(takes.filter(refused)).toEqual([]);
  expect(refuses.filter((value) => !refused(value))).toEqual([]);
});

test("a key that is given twice is refused", () => {
  expect(() => parseStrictJson('{"interface":{"mtu":1500,"mtu":1400}}', "claim")).toThrow(ConfigError);
});

test("absent is another thing than zero", () => {
  expect(parseNetworkConfig(link({ forwarding: false, arpIgnore: 0 }), "claim")).toEqual(
    link({ forwarding: false, arpIgnore: 0 }),
  );
  expect(parseNetworkConfig(link({ forwarding: null, name: "" }), "claim")).toEqual(link({}));
});

/** On purpose: what would harm the pod or its neighbours on the wire. */
test.each([
  link({ name: "all" }),
  link({ name: "default" }),
  link({ name: "lo" }),
  link({ hardwareAddr: "01:00:5e:00:00:01" }),
  link({ hardwareAddr: "00:00:00:00:00:00" }),
])("%j is refused, which DRANET takes", (value) => {
  expect(refused(value)).toBe(true);
});
