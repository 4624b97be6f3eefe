import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ClaimError } from "../lib/errors.ts";
import { type ConfigEntry, configFor } from "./merge.ts";

const fromClass = (parameters: unknown, ...requests: string[]): ConfigEntry => ({
  source: "FromClass",
  requests,
  parameters,
});
const fromClaim = (parameters: unknown, ...requests: string[]): ConfigEntry => ({
  source: "FromClaim",
  requests,
  parameters,
});

function refusal(...entries: ConfigEntry[]): string {
  try {
    configFor(entries, "main");
  } catch (error) {
    expect(error).toBeInstanceOf(ClaimError);
    return (error as ClaimError).message;
  }
  throw new Error("accepted");
}

describe("configFor() chooses entries", () => {
  test("that name the request, its main request, or none at all", () => {
    const entries = [
      fromClaim({ interface: { name: "all-of-them" } }),
      fromClaim({ interface: { mtu: 1400 } }, "main"),
      fromClaim({ interface: { mtu: 1300 } }, "main/small"),
      fromClaim({ interface: { mtu: 1200 } }, "other"),
    ];
    expect(configFor(entries, "main/small")).toEqual({ interface: { name: "all-of-them", mtu: 1300 } });
    expect(configFor(entries, "main/large")).toEqual({ interface: { name: "all-of-them", mtu: 1400 } });
    expect(configFor(entries, "main")).toEqual({ interface: { name: "all-of-them", mtu: 1400 } });
    expect(configFor(entries, "mainly")).toEqual({ interface: { name: "all-of-them" } });
    expect(configFor([], "main")).toEqual({});
  });

  test("of classes before those of the claim, wherever they stand", () => {
    const entries = [
      fromClaim({ interface: { mtu: 9000 } }),
      fromClass({ interface: { mtu: 1500 }, overridable: ["interface.mtu"] }),
    ];
    expect(configFor(entries, "main")).toEqual({ interface: { mtu: 9000 } });
  });
});

describe("configFor() merges", () => {
  test("class and claim, each giving what the other leaves open", () => {
    expect(
      configFor(
        [
          fromClass({ interface: { mtu: 9000 }, routes: [{ destination: "10.0.0.0/8", gateway: "10.9.0.1" }] }),
          fromClaim({ interface: { name: "net1" } }),
        ],
        "main",
      ),
    ).toEqual({ interface: { mtu: 9000, name: "net1" }, routes: [{ destination: "10.0.0.0/8", gateway: "10.9.0.1" }] });
  });

  test("lists by key: addresses by value, routes by destination and table, neighbours by destination, rules whole", () => {
    const merged = configFor(
      [
        fromClaim({
          interface: { addresses: ["10.0.0.5/24", "10.0.0.6/24"] },
          routes: [
            { destination: "10.1.0.0/16", gateway: "10.0.0.1", table: 254 },
            { destination: "10.1.0.0/16", gateway: "10.0.0.1", table: 100 },
          ],
          neighbors: [{ destination: "10.0.0.1", hardwareAddr: "02:00:00:00:00:01" }],
          rules: [{ priority: 10, table: 100 }],
        }),
        fromClaim({
          interface: { addresses: ["10.0.0.6/24", "10.0.0.7/24"] },
          routes: [{ destination: "10.1.2.3/16", gateway: "10.0.0.2", table: 0 }],
          neighbors: [{ destination: "10.0.0.1", hardwareAddr: "02:00:00:00:00:02" }],
          rules: [
            { table: 100, priority: 10 },
            { table: 101, priority: 10 },
          ],
        }),
      ],
      "main",
    );
    expect(merged).toEqual({
      interface: { addresses: ["10.0.0.5/24", "10.0.0.6/24", "10.0.0.7/24"] },
      routes: [
        { destination: "10.1.0.0/16", gateway: "10.0.0.2", table: 0 },
        { destination: "10.1.0.0/16", gateway: "10.0.0.1", table: 100 },
      ],
      neighbors: [{ destination: "10.0.0.1", hardwareAddr: "02:00:00:00:00:02" }],
      rules: [
        { priority: 10, table: 100 },
        { priority: 10, table: 101 },
      ],
    });
  });

  test("a zero that was given over another value", () => {
    const given = { forwarding: true, arpIgnore: 1, dadTransmits: 3 };
    const zeros = { forwarding: false, arpIgnore: 0, dadTransmits: 0 };
    expect(configFor([fromClaim({ interface: given }), fromClaim({ interface: zeros })], "main")).toEqual({
      interface: zeros,
    });
    const overridable = ["interface"];
    expect(configFor([fromClass({ interface: given, overridable }), fromClaim({ interface: zeros })], "main")).toEqual({
      interface: zeros,
    });
  });
});

describe("configFor() holds the class's word", () => {
  test("against another value of the claim, naming both", () => {
    expect(refusal(fromClass({ interface: { mtu: 1500 } }), fromClaim({ interface: { mtu: 9000 } }))).toBe(
      "request main has no valid configuration: the claim sets interface.mtu to 9000, but the DeviceClass sets it to 1500 and does not list it under overridable",
    );
    const route = (gateway: string) => ({ routes: [{ destination: "0.0.0.0/0", gateway }] });
    expect(refusal(fromClass(route("10.0.0.1")), fromClaim(route("10.0.0.2")))).toContain(
      "the claim sets routes 0.0.0.0/0 table 254 to ",
    );
    const neighbor = (hardwareAddr: string) => ({ neighbors: [{ destination: "10.0.0.1", hardwareAddr }] });
    expect(refusal(fromClass(neighbor("02:00:00:00:00:01")), fromClaim(neighbor("02:00:00:00:00:02")))).toContain(
      "neighbors 10.0.0.1",
    );
  });

  test("but takes the same value, and more items of a list", () => {
    const route = { destination: "10.0.0.0/8", gateway: "10.0.0.1", table: 7 };
    const reordered = { table: 7, gateway: "10.0.0.1", destination: "10.0.0.0/8" };
    const more = { destination: "10.0.0.0/8", gateway: "10.0.0.2", table: 8 };
    expect(
      configFor(
        [
          fromClass({ interface: { mtu: 1500 }, routes: [route] }),
          fromClaim({ interface: { mtu: 1500 }, routes: [reordered, more] }),
        ],
        "main",
      ),
    ).toEqual({ interface: { mtu: 1500 }, routes: [route, more] });
  });

  test("except for what the class lists under overridable", () => {
    const first = { destination: "0.0.0.0/0", gateway: "10.0.0.1" };
    const entries = (...overridable: string[]) => [
      fromClass({
        interface: { mtu: 1500, name: "net1", addresses: ["10.0.0.1/24"] },
        routes: [first],
        rules: [{ table: 1 }],
        overridable,
      }),
      fromClaim({
        interface: { mtu: 9000, name: "net2", addresses: ["10.0.0.2/24"] },
        routes: [{ ...first, gateway: "10.0.0.2" }],
        rules: [{ table: 2 }],
      }),
    ];
    expect(configFor(entries("interface", "routes", "rules"), "main")).toEqual({
      interface: { mtu: 9000, name: "net2", addresses: ["10.0.0.2/24"] },
      routes: [{ ...first, gateway: "10.0.0.2" }],
      rules: [{ table: 2 }],
    });
    expect(configFor(entries("interface.mtu", "interface.name", "routes"), "main")).toMatchObject({
      interface: { addresses: ["10.0.0.1/24", "10.0.0.2/24"] },
      rules: [{ table: 1 }, { table: 2 }],
    });
    expect(() => configFor(entries("interface.mtu", "routes"), "main")).toThrow("interface.name");
  });

  test("and reports every invalid entry and every contradiction in one error", () => {
    const message = refusal(
      fromClass({ interface: { mtu: 1 } }),
      fromClaim({ interface: { nam: "x" } }),
      fromClaim({ overridable: [] }),
    );
    expect(message).toContain("the DeviceClass's configuration: interface.mtu: 1 is not");
    expect(message).toContain(
      "the claim's configuration: interface.nam: is not a field of the configuration (did you mean name?)",
    );
    expect(message).toContain("overridable: may stand in a DeviceClass only");
  });

  test("against another value of a part, and lets the claim give the parts that are left", () => {
    const blue = fromClass({ interface: { arpIgnore: 1, forwarding: false } });
    expect(configFor([blue, fromClaim({ interface: { arpAnnounce: 2 } })], "main").interface).toEqual({
      arpIgnore: 1,
      forwarding: false,
      arpAnnounce: 2,
    });
    expect(refusal(blue, fromClaim({ interface: { forwarding: true, arpIgnore: 0 } }))).toBe(
      "request main has no valid configuration: the claim sets interface.forwarding to true, but the DeviceClass sets it to false and does not list it under overridable; the claim sets interface.arpIgnore to 0, but the DeviceClass sets it to 1 and does not list it under overridable",
    );
  });

  test("and checks what class and claim make together", () => {
    expect(refusal(fromClass({ interface: { mtu: 1000 } }), fromClaim({ interface: { acceptRA: 0 } }))).toContain(
      "DeviceClass and claim together: interface.mtu: must be at least 1280",
    );
    expect(
      refusal(fromClass({ interface: { disableIPv6: true } }), fromClaim({ interface: { addresses: ["fd00::1/64"] } })),
    ).toContain("interface.addresses: cannot hold an IPv6 address while disableIPv6 is true");
  });

  test("and its right to what is beyond the pod", () => {
    const claim = fromClaim({ interface: { hardwareAddr: "02:00:00:00:00:01" } });
    expect(configFor([claim], "main").interface).toEqual({ hardwareAddr: "02:00:00:00:00:01" });
    const strict = { strictClaims: true, claimMaySet: [] };
    expect(() => configFor([claim], "main", strict)).toThrow(
      "the claim's configuration: interface.hardwareAddr: is closed to claims by --strict-claims",
    );
    expect(configFor([{ ...claim, source: "FromClass" }], "main", strict)).toEqual({
      interface: { hardwareAddr: "02:00:00:00:00:01" },
    });
    expect(refusal(fromClaim({ ethtool: { rings: { rx: 512 } } }))).toContain(
      "ethtool.rings: has an effect beyond the pod",
    );
    const rings = { ethtool: { rings: { rx: 512 } } };
    expect(configFor([fromClass(rings)], "main")).toEqual(rings);
  });

  test("for any two configurations: each value that the class gave is in the result, or the claim is refused", () => {
    const link = fc.record({ name: fc.constantFrom("a", "b"), mtu: fc.constantFrom(1500, 9000) }, { requiredKeys: [] });
    const route = fc.record({
      destination: fc.constantFrom("10.0.0.0/8", "0.0.0.0/0"),
      gateway: fc.constantFrom("10.0.0.1", "10.0.0.2"),
    });
    const config = fc.record({ interface: link, routes: fc.array(route, { maxLength: 2 }) }, { requiredKeys: [] });
    fc.assert(
      fc.property(config, config, (high, low) => {
        const alone = configFor([fromClass(high)], "main");
        let merged: ReturnType<typeof configFor>;
        try {
          merged = configFor([fromClass(high), fromClaim(low)], "main");
        } catch (error) {
          expect(error).toBeInstanceOf(ClaimError);
          return;
        }
        expect(merged.interface ?? {}).toMatchObject({ ...alone.interface });
        for (const kept of alone.routes ?? []) expect(merged.routes).toContainEqual(kept);
        for (const asked of configFor([fromClaim(low)], "main").routes ?? [])
          expect(merged.routes).toContainEqual(asked);
      }),
    );
  });
});

describe("configFor() looks at the whole", () => {
  test("where a class and a claim each say a part of a child", () => {
    const vlan = fromClass({ interface: { vlan: { id: 5 } } });
    expect(configFor([vlan, fromClaim({ interface: { type: "VLAN", addressing: "Unnumbered" } })], "main")).toEqual({
      interface: { vlan: { id: 5 }, type: "VLAN", addressing: "Unnumbered" },
    });
    expect(refusal(vlan)).toContain("interface.vlan: is for type VLAN only");
    expect(refusal(fromClass({ interface: { type: "MACVLAN", ipvlan: { mode: "l3" } } }))).toContain(
      "interface.ipvlan: is for type IPVLAN only",
    );
    expect(refusal(fromClaim({ interface: { type: "VLAN" } }))).toContain(
      "DeviceClass and claim together: interface.type: VLAN needs interface.vlan.id",
    );
    expect(refusal(fromClaim({ interface: { addressing: "Unnumbered" } }))).toContain(
      "interface.addressing: may be Unnumbered for a sub-interface only",
    );
    expect(
      refusal(fromClass({ ethtool: { rings: { rx: 512 } } }), fromClaim({ interface: { type: "MACVLAN" } })),
    ).toContain("ethtool: cannot be given with a sub-interface");
    expect(configFor([fromClaim({ interface: { type: "MACVLAN" }, ethtool: { features: {} } })], "main")).toBeDefined();
  });
});

test("configFor() takes what is the PF's and the function's from the class only, and checks it with the claim's part", () => {
  const entry = (source: "FromClass" | "FromClaim", parameters: unknown) => ({ source, requests: [], parameters });
  for (const section of [{ vf: { trust: true } }, { driver: "vfio-pci" }, { tun: true }, { vhostNet: true }]) {
    expect(configFor([entry("FromClass", section)], "nic")).toEqual(section as object);
    expect(() => configFor([entry("FromClaim", section)], "nic")).toThrow("only a DeviceClass may set it");
  }
  const both = (own: object, claims: object) => () =>
    configFor([entry("FromClass", own), entry("FromClaim", claims)], "nic");
  const mac = "02:00:00:00:00:01";
  expect(both({ vf: { mac } }, { interface: { hardwareAddr: mac } })()).toBeDefined();
  expect(both({ vf: { mac } }, { interface: { hardwareAddr: "02:00:00:00:00:02" } })).toThrow(
    "vf.mac: must be the address",
  );
  expect(both({ driver: "vfio-pci" }, { interface: { name: "net1" } })).toThrow("driver: takes the link away");
  expect(both({ vf: { trust: true } }, { interface: { type: "MACVLAN" } })).toThrow(
    "vf: cannot be given with a sub-interface",
  );
});
