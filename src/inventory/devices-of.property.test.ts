/** The limits of resource.k8s.io/v1: one device outside of them has a whole slice rejected. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { aFunction, aLink, anAddress, factsWith } from "../../test/fakes/facts.ts";
import type { RdmaDevice } from "../rdma/facts.ts";
import type { LinkLocation } from "../sysfs/net.ts";
import type { Device } from "./device.ts";
import { devicesOf } from "./devices-of.ts";
import type { InventoryFacts } from "./facts.ts";
import { mergeHeld } from "./merge-held.ts";
import type { PciNames } from "./pci-ids.ts";

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/;
const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]{0,31}$/;

const text = fc.string({ unit: "grapheme-composite", maxLength: 120 });
// Names that the kernel allows, and some that are made to clash with encoded ones.
const ifname = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 15 }).filter((name) => Buffer.byteLength(name) <= 15),
  fc.constantFrom("eth0", "Eth0", "net-iv2gqma", "net-iv2gqma-2", "e@", "net-mvaa", "lo", "br0"),
);
const address = fc.constantFrom("0000:3b:00.0", "0000:3b:00.1", "10000:01:00.0");
const options = (name: string): { domain: string; moveIbInterfaces: boolean; pciNames: PciNames } => ({
  domain: "dra.net",
  moveIbInterfaces: true,
  pciNames: { vendorName: () => name, deviceName: () => undefined },
});

const location: fc.Arbitrary<LinkLocation> = fc.record(
  { isVirtual: fc.boolean(), pciAddress: address, subfunction: fc.constant("mlx5_core.sf.1"), devPort: fc.nat(2) },
  { requiredKeys: ["isVirtual"] },
);

const rdmaDevice: fc.Arbitrary<RdmaDevice> = fc.record(
  { name: text, pciAddress: address, overEthernet: fc.boolean(), ifnames: fc.array(ifname, { maxLength: 2 }) },
  { requiredKeys: ["name", "ifnames"] },
);

const facts: fc.Arbitrary<InventoryFacts> = fc
  .uniqueArray(
    fc.record({ ifname, alias: text, kind: fc.option(text), mtu: fc.nat(), arpType: fc.nat(70000), location }),
    { selector: (link) => link.ifname, maxLength: 8 },
  )
  .chain((links) =>
    fc.record({
      links: fc.constant(
        links.map(({ location: _, kind, ...link }, n) =>
          aLink(n + 2, link.ifname, { ...link, ...(kind === null ? {} : { kind }) }),
        ),
      ),
      locations: fc.constant(Object.fromEntries(links.map((link) => [link.ifname, link.location]))),
      addresses: fc
        .array(fc.record({ link: fc.integer({ min: 2, max: 9 }), v6: fc.ipV6(), v4: fc.ipV4() }), { maxLength: 12 })
        .map((all) => all.flatMap(({ link, v4, v6 }) => [anAddress(link, `${v4}/24`), anAddress(link, `${v6}/64`)])),
      pci: fc.uniqueArray(address).map((all) => all.map((pci) => aFunction(pci, { subsystemDevice: "efa1" }))),
      rdma: fc.array(rdmaDevice, { maxLength: 3 }).map((devices) => ({ supported: true, devices })),
    }),
  )
  .map(factsWith);

function expectPublishable(devices: readonly Device[]): void {
  expect(new Set(devices.map((device) => device.name)).size).toBe(devices.length);
  for (const { name, attributes } of devices) {
    expect(name).toMatch(DNS_LABEL);
    expect(Object.keys(attributes).length).toBeLessThanOrEqual(32);
    for (const [key, value] of Object.entries(attributes)) {
      const [domain = "", id = ""] = key.split("/");
      expect(domain).toMatch(DNS_SUBDOMAIN);
      expect(id).toMatch(C_IDENTIFIER);
      if ("string" in value) expect(Buffer.byteLength(value.string)).toBeLessThanOrEqual(64);
      if ("int" in value) expect(Number.isSafeInteger(value.int)).toBe(true);
    }
  }
}

test("devicesOf() gives devices that the API server accepts, whatever the facts", () => {
  fc.assert(
    fc.property(facts, text, (host, vendor) => {
      expectPublishable(devicesOf(host, options(vendor)));
    }),
  );
});

test("devicesOf() gives the same devices for the same facts in another order", () => {
  fc.assert(
    fc.property(facts, (host) => {
      const turned = { ...host, links: host.links.toReversed(), addresses: host.addresses.toReversed() };
      expect(devicesOf(turned, options("v"))).toEqual(devicesOf(host, options("v")));
    }),
  );
});

test("mergeHeld() publishes held devices unchanged, whatever the scan sees", () => {
  fc.assert(
    fc.property(facts, facts, fc.nat(8), (before, after, count) => {
      const held = devicesOf(before, options("v")).slice(0, count);
      const merged = mergeHeld(devicesOf(after, options("v")), held);
      expectPublishable(merged);
      for (const device of held) expect(merged).toContain(device);
    }),
  );
});
