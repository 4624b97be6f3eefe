import { expect, test } from "bun:test";
import { expectGolden } from "../../test/fakes/golden.ts";
import { readFixture, SysfsTree } from "../../test/fakes/sysfs.ts";
import { readRdma } from "../rdma/facts.ts";
import { readLinkLocations } from "../sysfs/net.ts";
import { readPciDevices } from "../sysfs/pci.ts";
import { devicesOf, type InventoryOptions } from "./devices-of.ts";
import type { InventoryFacts } from "./facts.ts";
import { builtInPciIds } from "./pci-ids.ts";

const OPTIONS: InventoryOptions = { domain: "dra.net", moveIbInterfaces: true, pciNames: builtInPciIds };

function factsOf(tree: SysfsTree): InventoryFacts {
  const links = tree.links();
  return {
    links,
    addresses: [],
    defaultRoutes: [],
    routedBy: {},
    locations: readLinkLocations(
      tree.root,
      links.map((link) => link.ifname),
    ),
    pci: readPciDevices(tree.root),
    rdma: readRdma(tree.root),
    programs: {},
  };
}

/** What is published, as JSON. */
function publishedJson(facts: InventoryFacts, options = OPTIONS): string {
  const devices = devicesOf(facts, options).map(({ name, attributes }) => ({ name, attributes }));
  return `${JSON.stringify(devices, null, 2)}\n`;
}

for (const machine of ["mlx5", "igb", "efa"]) {
  test(`devicesOf() gives the golden devices of the ${machine} machine, twice the same bytes`, () => {
    using tree = new SysfsTree(readFixture(machine));
    const json = publishedJson(factsOf(tree));
    expectGolden(`${machine}.json`, json);
    expect(publishedJson(factsOf(tree))).toBe(json);
  });
}

test("devicesOf() offers the InfiniBand port as an RDMA device when IPoIB links stay on the host", () => {
  using tree = new SysfsTree(readFixture("mlx5"));
  expectGolden("mlx5-ipoib-stays.json", publishedJson(factsOf(tree), { ...OPTIONS, moveIbInterfaces: false }));
});
