import { expect, test } from "bun:test";
import { FIELDS } from "./field-table.ts";
import { parseNetworkConfig } from "./network-config.ts";
import { problems } from "./testing.ts";

const LINK: Readonly<Record<string, readonly [good: readonly unknown[], bad: readonly unknown[]]>> = {
  dhcp: [[true], ["yes", 1]],
  gsoMaxSize: [
    [1, 524_280],
    [0, -1, 1.5, 2 ** 31],
  ],
  groMaxSize: [
    [1, 524_280],
    [0, -1, 1.5, 2 ** 31],
  ],
  gsoIPv4MaxSize: [
    [1, 524_280],
    [0, "65536"],
  ],
  groIPv4MaxSize: [
    [1, 524_280],
    [0, "65536"],
  ],
  disableEbpfPrograms: [[true], [1]],
  forwarding: [
    [true, false],
    ["true", 1],
  ],
  arpIgnore: [
    [0, 1, 2, 3, 8],
    [4, 7, 9, -1, 1.5],
  ],
  arpAnnounce: [
    [0, 1, 2],
    [3, -1],
  ],
  type: [
    ["IPVLAN", "MACVLAN", "VLAN"],
    ["ipvlan", "Ipvlan", 1],
  ],
  addressing: [["DHCP", "SLAAC"], ["Dynamic"]],
  acceptRA: [
    [0, 1, 2],
    [3, -1],
  ],
  dadTransmits: [
    [0, 10],
    [-1, 0.5],
  ],
  routerSolicitationDelay: [
    [0, 10],
    [-1, "1s"],
  ],
  routerSolicitationInterval: [[1, 4], [0]],
  disableIPv6: [[true, false], [0]],
  addrGenMode: [
    [0, 1, 2, 3],
    [4, -1],
  ],
};
const unserved = (path: string, text = "is") => `${path}: ${text} not served in this version of netferry`;
for (const [key, [good, bad]] of Object.entries(LINK)) {
  test(`knows what interface.${key} may be`, () => {
    for (const value of good) {
      const config = { interface: { [key]: value } };
      if (FIELDS[`interface.${key}` as keyof typeof FIELDS].served)
        expect(parseNetworkConfig(config, "x")).toEqual(config);
      else
        expect(problems(config)).toEqual([
          unserved(`interface.${key}`, typeof value === "string" ? `"${value}" is` : "is"),
        ]);
    }
    for (const value of bad) {
      expect(problems({ interface: { [key]: value } })).toContainEqual(
        expect.stringMatching(new RegExp(`^interface\\.${key}: (?!.*not served)`)),
      );
    }
  });
}

test("takes what asks for nothing of fields that are not served", () => {
  const asksForNothing = {
    profile: "",
    interface: { dhcp: false, disableEbpfPrograms: false, type: "Passthrough", addressing: "Static", vrf: null },
    ethtool: { features: {}, privateFlags: {} },
  };
  expect(parseNetworkConfig(asksForNothing, "x")).toMatchObject({ interface: { dhcp: false } });
  expect(parseNetworkConfig({ ethtool: {} }, "x")).toEqual({ ethtool: {} });
});

const apart: [object, string][] = [
  [{ dhcp: true, addresses: ["10.0.0.5/24"] }, "addresses: cannot be given together with DHCP"],
  [{ addressing: "DHCP", addresses: ["10.0.0.5/24"] }, "addresses: cannot be given together with DHCP"],
  [{ addressing: "Static", dhcp: true }, "dhcp: contradicts addressing, which alone would do"],
  [{ addressing: "DHCP", dhcp: false }, "dhcp: contradicts addressing, which alone would do"],
  [
    { type: "IPVLAN", hardwareAddr: "02:00:00:00:00:01" },
    "hardwareAddr: cannot be given with type IPVLAN, whose links share their parent's address",
  ],
  [
    { type: "IPVLAN", dhcp: true },
    "type: cannot be IPVLAN with DHCP, since the server tells links apart by their hardware address",
  ],
  [
    { type: "VLAN", vlan: { id: 5 }, addressing: "DHCP" },
    "type: cannot be VLAN with DHCP, since the lease is taken over the device itself, before there is the VLAN",
  ],
  [
    { type: "MACVLAN", addressing: "Unnumbered", addresses: ["10.0.0.5/24"] },
    "addresses: cannot be given with addressing Unnumbered",
  ],
  [{ addressing: "SLAAC", addresses: ["fd00::5/64"] }, "addresses: cannot hold an IPv6 address with addressing SLAAC"],
  [
    { addressing: "SLAAC", acceptRA: 0 },
    "acceptRA: cannot be 0 with addressing SLAAC, which lives on router advertisements",
  ],
  [{ addressing: "SLAAC", disableIPv6: true }, "disableIPv6: cannot be true with addressing SLAAC"],
  [
    { addressing: "SLAAC", addrGenMode: 2 },
    "addrGenMode: cannot be 1 or 2 with addressing SLAAC, which needs an address that is made without a secret",
  ],
  [
    { addressing: "SLAAC", type: "IPVLAN", addrGenMode: 0 },
    "addrGenMode: cannot be 0 with SLAAC on IPVLAN, whose links share one hardware address",
  ],
  [
    { disableIPv6: true, addresses: ["fd00::5/64"] },
    "addresses: cannot hold an IPv6 address while disableIPv6 is true",
  ],
  [
    { mtu: 1279, acceptRA: 2 },
    "mtu: must be at least 1280 with acceptRA, dadTransmits, routerSolicitationDelay, routerSolicitationInterval, disableIPv6, addrGenMode: below that the link has no IPv6",
  ],
  [{ vrf: { table: 5 } }, "vrf.name: is required"],
  [{ vrf: { name: "lo" } }, 'vrf.name: "lo" means something else to the kernel'],
  [{ vrf: { name: "blue", table: 254 } }, "vrf.table: 254 is the pod's table default, main or local"],
  [{ vrf: { name: "blue", table: 0 } }, "vrf.table: 0 is not a whole number between 1 and 4294967295"],
];
for (const [link, problem] of apart) {
  test(`refuses interface ${JSON.stringify(link)}`, () => {
    const found = problems({ interface: link }).filter((one) => !one.includes("not served"));
    expect(found).toEqual([`interface.${problem}`]);
  });
}

test("takes near misses of those", () => {
  for (const link of [
    { dhcp: false, addresses: ["10.0.0.5/24"] },
    { addressing: "Static", dhcp: false },
    { mtu: 1280, acceptRA: 2 },
    { mtu: 1279 },
    { disableIPv6: true, addresses: ["10.0.0.5/24"] },
  ])
    expect(parseNetworkConfig({ interface: link }, "x")).toMatchObject({ interface: link });
});
