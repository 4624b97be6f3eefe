import { expect, test } from "bun:test";
import { aDefaultRoute, aFunction, aLink, factsWith } from "../../test/fakes/facts.ts";
import { devicesOf, type InventoryOptions } from "./devices-of.ts";
import { leftOut } from "./left-out.ts";
import { builtInPciIds } from "./pci-ids.ts";

const OPTIONS: InventoryOptions = { domain: "dra.net", moveIbInterfaces: true, pciNames: builtInPciIds };

test("leftOut() has a reason for each link and function that is no device, and for no other", () => {
  const at = (pciAddress: string) => ({ isVirtual: false, pciAddress });
  const facts = factsWith({
    links: [
      aLink(1, "lo", { flags: 0x8 }),
      aLink(2, "eth0"),
      aLink(3, "br0", { kind: "bridge" }),
      aLink(4, "eth1"),
      aLink(5, "docker0", { kind: "bridge" }),
    ],
    defaultRoutes: [aDefaultRoute(2)],
    locations: { eth0: at("0000:3b:00.0"), eth1: at("0000:3b:00.1") },
    pci: [
      aFunction("0000:3b:00.0", { ifnames: ["eth0"] }),
      aFunction("0000:3b:00.1", { ifnames: ["eth1"] }),
      aFunction("0000:3b:00.2", { driver: "vfio-pci" }),
      aFunction("0000:3b:00.3", { ifnames: ["away"] }),
      aFunction("0000:3b:00.4"),
    ],
  });
  const devices = devicesOf(facts, OPTIONS);
  expect(devices.map(({ name }) => name)).toEqual(["pci-0000-3b-00-1", "pci-0000-3b-00-4"]);
  expect(leftOut(facts, OPTIONS, devices).map(({ name, why }) => `${name} ${why}`)).toEqual([
    "br0 is of a kind that the kernel moves to no other namespace",
    "docker0 is plumbing of Docker or Cilium",
    "eth0 is the host's uplink, or a part of it",
    "pci-0000-3b-00-2 is bound to vfio-pci, and --offer-vfio is not set",
    "pci-0000-3b-00-3 has its link in another network namespace, as one that a pod has",
  ]);
  const options = { ...OPTIONS, offerVfio: true };
  expect(leftOut(facts, options, devicesOf(facts, options)).map(({ name }) => name)).not.toContain("pci-0000-3b-00-2");
});
