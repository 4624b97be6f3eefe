import { expect, test } from "bun:test";
import { refuseLinkFields } from "./bare-config.ts";

test("refuseLinkFields() names every field that needs a link", () => {
  const config = {
    interface: { name: "net1", mtu: 1500, addresses: ["10.0.0.1/24"], arpIgnore: 1 },
    routes: [{ destination: "10.1.0.0/16", gateway: "10.0.0.2" }],
    ethtool: { features: { "rx-gro": true } },
  };
  expect(() => refuseLinkFields(config, "pci-0000-3b-00-1")).toThrow(
    "device pci-0000-3b-00-1 has no network interface to move into the pod, so its configuration cannot hold interface.name, interface.mtu, interface.addresses, interface.arpIgnore, routes, ethtool:",
  );
});

/** DRANET's list (pkg/apis/validation.go). */
test.each([
  { interface: { name: "net1" } },
  { interface: { addresses: ["10.0.0.1/24"] } },
  { interface: { mtu: 1500 } },
  { interface: { hardwareAddr: "02:00:00:00:00:01" } },
  { interface: { dhcp: true } },
  ...["gsoMaxSize", "groMaxSize", "gsoIPv4MaxSize", "groIPv4MaxSize"].map((key) => ({ interface: { [key]: 65_536 } })),
  { interface: { disableEbpfPrograms: true } },
  { interface: { arpIgnore: 0 } },
  { interface: { arpAnnounce: 0 } },
  { routes: [{ destination: "10.1.0.0/16", gateway: "10.0.0.2" }] },
  { rules: [{ source: "10.1.0.0/16", table: 100 }] },
  { neighbors: [{ destination: "10.0.0.2", hardwareAddr: "02:00:00:00:00:02" }] },
  { ethtool: { privateFlags: { some: true } } },
])("refuseLinkFields() refuses %j for a device without a link, as DRANET does", (config) => {
  expect(() => refuseLinkFields(config, "mlx5_1")).toThrow("has no network interface to move into the pod");
});

test("refuseLinkFields() takes what asks for nothing, and what DRANET does not look at", () => {
  const config = {
    interface: { dhcp: false, addresses: [], forwarding: true, vrf: { name: "blue" } },
    routes: [],
    ethtool: {},
  };
  expect(() => refuseLinkFields(config, "mlx5_1")).not.toThrow();
});
