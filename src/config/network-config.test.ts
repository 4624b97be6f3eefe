import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ConfigError } from "../lib/errors.ts";
import { parseClassConfig, parseNetworkConfig } from "./network-config.ts";
import { problems } from "./testing.ts";

describe("parseNetworkConfig()", () => {
  test("gives each value in its canonical form", () => {
    expect(
      parseNetworkConfig(
        {
          interface: {
            name: "net1",
            addresses: ["10.0.0.5/24", "FD00:0::5/64"],
            mtu: 9000,
            hardwareAddr: "02-00-5E-10-00-01",
          },
          routes: [
            { destination: "10.1.2.3/8", gateway: "10.0.0.1", source: "10.0.0.5", table: 100 },
            { destination: "::/0", scope: 253 },
          ],
          rules: [{ priority: 100, table: 100, source: "10.0.0.5/24" }],
          neighbors: [{ destination: "10.0.0.1", hardwareAddr: "02:00:5E:10:00:02" }],
        },
        "claim",
      ),
    ).toEqual({
      interface: {
        name: "net1",
        addresses: ["10.0.0.5/24", "fd00::5/64"],
        mtu: 9000,
        hardwareAddr: "02:00:5e:10:00:01",
      },
      routes: [
        { destination: "10.0.0.0/8", gateway: "10.0.0.1", source: "10.0.0.5", table: 100 },
        { destination: "::/0", scope: 253 },
      ],
      rules: [{ priority: 100, table: 100, source: "10.0.0.0/24" }],
      neighbors: [{ destination: "10.0.0.1", hardwareAddr: "02:00:5e:10:00:02" }],
    });
  });

  test("takes null and DRANET's empty texts for not given, and leaves no such key behind", () => {
    const config = parseNetworkConfig(
      {
        interface: { name: "", addresses: null, mtu: null },
        routes: [{ destination: "10.0.0.0/8", gateway: "", scope: 253, table: null }],
        rules: null,
      },
      "claim",
    );
    expect(config).toStrictEqual({ interface: {}, routes: [{ destination: "10.0.0.0/8", scope: 253 }] });
    expect(parseNetworkConfig(undefined, "claim")).toStrictEqual({});
    expect(parseNetworkConfig({}, "claim")).toStrictEqual({});
  });

  test("keeps zero apart from absent", () => {
    const config = parseNetworkConfig({ rules: [{ priority: 0, table: 0 }] }, "claim");
    expect(config.rules).toStrictEqual([{ priority: 0, table: 0 }]);
  });

  test("reports all problems at once, each with its path", () => {
    expect(
      problems({
        interface: { name: "a/b", mtu: 67, addresses: ["10.0.0.5/24", "10.0.0.5"] },
        routes: [
          { destination: "10.0.0.0/8" },
          { destination: "10.0.0.0/8", gateway: "fd00::1", table: -1 },
          { gateway: "10.0.0.1" },
        ],
        rules: [{ source: "10.0.0.0/8", destination: "fd00::/8", priority: 40_000 }],
        neighbors: [{ destination: "10.0.0.1" }],
        mtu: 1500,
      }).toSorted(),
    ).toEqual(
      [
        `interface.name: "a/b" holds "/" and may hold letters, digits, '-', '_' and '.' only`,
        "interface.mtu: 67 is not a whole number between 68 and 2147483647",
        'interface.addresses[1]: "10.0.0.5" is not an address with its prefix length, as 10.0.0.5/24 or fd00::5/64',
        "routes[0].gateway: is required, unless scope is 253 (link)",
        "routes[1].gateway: must be of the destination's family",
        "routes[1].table: -1 is not a whole number between 0 and 4294967295",
        "routes[2].destination: is required",
        "rules[0].destination: must be of the source's family",
        "rules[0].priority: 40000 is not a whole number between 0 and 32767",
        "neighbors[0].hardwareAddr: is required",
        "mtu: is not a field of the configuration",
      ].toSorted(),
    );
  });

  const refused: [unknown, string][] = [
    [{ interface: { name: "all" } }, 'interface.name: "all" means something else to the kernel'],
    [{ interface: { name: "default" } }, 'interface.name: "default" means something else to the kernel'],
    [{ interface: { name: "lo" } }, 'interface.name: "lo" means something else to the kernel'],
    [{ interface: { name: "sixteen-bytes-xx" } }, 'interface.name: "sixteen-bytes-xx" is longer than 15 bytes'],
    [{ interface: { name: "éééééééé" } }, 'interface.name: "éééééééé" is longer than 15 bytes'],
    [{ interface: { name: ".." } }, 'interface.name: ".." is not allowed as a link\'s name'],
    [{ interface: { name: "a b" } }, 'interface.name: "a b" holds a space'],
    [{ interface: { name: 5 } }, "interface.name: must be text, not a number"],
    [{ interface: [] }, "interface: must be an object, not a list"],
    [{ interface: { mtu: "1500" } }, "interface.mtu: must be a number, not text"],
    [{ interface: { mtu: 1500.5 } }, "interface.mtu: 1500.5 is not a whole number between 68 and 2147483647"],
    [
      { interface: { adresses: [] } },
      "interface.adresses: is not a field of the configuration (did you mean addresses?)",
    ],
    [{ overridable: [] }, "overridable: may stand in a DeviceClass only"],
    [
      { interface: { hardwareAddr: "" } },
      'interface.hardwareAddr: "" is not a hardware address of 6, 8 or 20 bytes, as 02:00:5e:10:00:01',
    ],
    [
      { interface: { hardwareAddr: "01:00:5e:10:00:01" } },
      'interface.hardwareAddr: "01:00:5e:10:00:01" is a multicast address or zero, which no link can have',
    ],
    [
      { routes: [{ destination: "", gateway: "10.0.0.1" }] },
      'routes[0].destination: "" is not a network with its prefix length, as 10.0.0.0/8 or ::/0',
    ],
    [
      { routes: [{ destination: "10.0.0.0/8", scope: 200 }] },
      "routes[0].scope: 200 is neither 0 (universe) nor 253 (link)",
    ],
    [
      { routes: [{ destination: "10.0.0.0/8", gateway: "10.0.0.1", source: "10.0.0.0/8" }] },
      'routes[0].source: "10.0.0.0/8" is not an IP address',
    ],
    [
      { routes: [{ destination: "10.0.0.0/8", gateway: "10.0.0.1", source: "fd00::1" }] },
      "routes[0].source: must be of the destination's family",
    ],
    [{ routes: [null] }, "routes[0]: is required"],
    [{ routes: [5] }, "routes[0]: must be an object, not a number"],
    [{ routes: {} }, "routes: must be a list, not an object"],
    [
      { rules: [{ source: "10.0.0.1" }] },
      'rules[0].source: "10.0.0.1" is not a network with its prefix length, as 10.0.0.0/8 or ::/0',
    ],
    [
      { neighbors: [{ destination: "10.0.0.1/24", hardwareAddr: "02:00:00:00:00:01" }] },
      'neighbors[0].destination: "10.0.0.1/24" is not an IP address',
    ],
    [[], "configuration: must be an object, not a list"],
    ["{}", "configuration: must be an object, not text"],
  ];
  for (const [value, message] of refused) {
    test(`refuses ${JSON.stringify(value)}`, () => expect(problems(value)).toContain(message));
  }

  const unserved = (path: string) => `${path}: is not served in this version of netferry`;

  test("refuses rules beside a VRF, and IPv6 routes without IPv6", () => {
    expect(problems({ interface: { vrf: { name: "blue" } }, rules: [{ table: 5 }] })).toContain(
      "rules: cannot be given together with interface.vrf, which has rules of its own",
    );
    expect(problems({ interface: { disableIPv6: true }, routes: [{ destination: "::/0", scope: 253 }] })).toEqual([
      "routes: cannot hold an IPv6 route while interface.disableIPv6 is true",
    ]);
  });

  test("names the field that does what DRANET has another name for, in its branches and pages", () => {
    const ipvlan = { mode: "l2", flag: "bridge", addressing: { type: "none" }, copyRoutesFromParent: true };
    const link = { type: "IPVLAN", ipvlan, enableIPv6: true, ipRanges: [{ cidr: "10.0.0.0/24" }] };
    const neighbors = [{ ipAddress: "10.0.0.1", destination: "10.0.0.1", hardwareAddr: "02:00:00:00:00:01" }];
    const instead = (path: string, text: string) => `${path}: is not a field of the configuration: ${text}`;
    expect(problems({ interface: link, neighbors })).toEqual([
      instead(
        "interface.ipvlan.flag",
        "leave it out, since links of one device reach each other, as with the flag bridge",
      ),
      instead("interface.ipvlan.addressing", "give interface.addressing, and interface.addresses"),
      instead("interface.ipvlan.copyRoutesFromParent", "give routes, since the device's own stay with it"),
      instead("interface.enableIPv6", "give interface.disableIPv6 as false"),
      instead("interface.ipRanges", "addresses are given in interface.addresses, or handed out by a profile"),
      instead("neighbors[0].ipAddress", "give neighbors.destination"),
    ]);
  });

  test("checks ethtool's settings, as far as they are not the driver's affair", () => {
    expect(
      problems({
        ethtool: {
          features: { "": true, gro: "on" },
          rings: { rx: 0, tx: 512, rxx: 5 },
          channels: { combined: 0 },
          coalesce: { rxUsecs: -1 },
        },
      }),
    ).toEqual([
      'ethtool.features[""]: "" is not a name of 1 to 31 bytes',
      "ethtool.features.gro: must be a boolean, not text",
      "ethtool.rings.rx: 0 is not a whole number between 1 and 4294967295",
      "ethtool.rings.rxx: is not a field of the configuration (did you mean rx?)",
      "ethtool.coalesce.rxUsecs: -1 is not a whole number between 0 and 4294967295",
    ]);
  });

  test("says of reserved sections that they are not served, rather than that they are misspelt", () => {
    expect(problems({ subInterface: [], interface: { mode: "l2" } }).toSorted()).toEqual([
      unserved("interface.mode"),
      unserved("subInterface"),
    ]);
  });

  test("checks what a PF is to set for its VF", () => {
    const vf = {
      vlan: { id: 5, qos: 3, protocol: "802.1ad" },
      mac: "02-00-00-00-00-0A",
      trust: true,
      spoofCheck: false,
      linkState: "enable",
      minTxRate: 10,
      maxTxRate: 100,
    };
    expect(parseNetworkConfig({ vf }, "c").vf).toEqual({ ...vf, mac: "02:00:00:00:00:0a" } as object);
    const refusals: readonly (readonly [object, string])[] = [
      [{ vlan: { id: 4095 } }, "vf.vlan.id: 4095 is not a whole number between 0 and 4094"],
      [{ vlan: { qos: 1 } }, "vf.vlan.id: is required"],
      [{ vlan: { id: 1, qos: 8 } }, "vf.vlan.qos: 8 is not a whole number between 0 and 7"],
      [{ mac: "01:00:5e:00:00:01" }, "vf.mac: is no Ethernet address of one device"],
      [{ mac: "00:00:00:00:00:00" }, "vf.mac: is no Ethernet address of one device"],
      [{ minTxRate: 200, maxTxRate: 100 }, "vf.minTxRate: must not be above maxTxRate"],
      [{ maxTxRate: { toString: "" } }, "vf.maxTxRate: must be a number, not an object"],
      [{ spoofchk: true }, "vf.spoofchk: is not a field of the configuration (did you mean spoofCheck?)"],
    ];
    for (const [given, sentence] of refusals) expect(problems({ vf: given }).join()).toContain(sentence);
    expect(problems({ driver: "igb_uio" }).join()).toContain("driver:");
  });

  test("accepts its own output, unchanged", () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom("", "10.0.0.0/8", "fd00::/8", "02:00:00:00:00:01", "eth0"),
      fc.string(),
    );
    const item = fc.dictionary(
      fc.constantFrom("destination", "gateway", "source", "scope", "table", "priority", "hardwareAddr"),
      fc.oneof(text, fc.constantFrom(0, 253, -1, 1.5, null)),
    );
    const config = fc.record(
      {
        routes: fc.array(item),
        rules: fc.array(item),
        neighbors: fc.array(item),
        interface: fc.dictionary(fc.constantFrom("name", "mtu"), text),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(config, (value) => {
        let parsed: unknown;
        try {
          parsed = parseNetworkConfig(value, "x");
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          return;
        }
        expect(parseNetworkConfig(parsed, "x")).toEqual(parsed as object);
      }),
    );
  });
});

describe("parseClassConfig()", () => {
  test("reads the fields that claims may override", () => {
    expect(
      parseClassConfig({ interface: { mtu: 1500 }, overridable: ["interface.mtu", "routes"] }, "class"),
    ).toStrictEqual({
      config: { interface: { mtu: 1500 } },
      overridable: ["interface.mtu", "routes"],
    });
    expect(parseClassConfig({}, "class")).toStrictEqual({ config: {}, overridable: [] });
  });

  test("refuses a path that is no field", () => {
    expect(() => parseClassConfig({ overridable: ["interface.mut"] }, "class")).toThrow(
      'overridable[0]: "interface.mut" is not one of interface, ',
    );
  });
});
