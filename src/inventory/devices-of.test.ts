import { expect, test } from "bun:test";
import { aDefaultRoute, aFunction, aLink, anAddress, factsWith } from "../../test/fakes/facts.ts";
import type { Device } from "./device.ts";
import { devicesOf, type InventoryOptions } from "./devices-of.ts";
import type { InventoryFacts } from "./facts.ts";
import { linkDeviceName } from "./names.ts";
import { builtInPciIds } from "./pci-ids.ts";

const OPTIONS: InventoryOptions = { domain: "dra.net", moveIbInterfaces: true, pciNames: builtInPciIds };
const NIC = "0000:3b:00.0";

function offered(facts: Partial<InventoryFacts>, options = OPTIONS): Device[] {
  return devicesOf(factsWith(facts), options);
}

function names(facts: Partial<InventoryFacts>, options = OPTIONS): string[] {
  return offered(facts, options).map((device) => device.name);
}

/** Values of a device's attributes without `dra.net/`. */
function values(device: Device | undefined): Record<string, unknown> {
  const entries = Object.entries(device?.attributes ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key.replace("dra.net/", ""), Object.values(value)[0]]));
}

test("devicesOf() describes a veth as DRANET does", () => {
  const link = aLink(4, "veth1", { kind: "veth", address: "02:00:00:00:00:01", alias: "to the switch", operstate: 3 });
  const addresses = [
    anAddress(4, "10.9.0.2/24"),
    anAddress(4, "10.1.0.2/16"),
    anAddress(4, "169.254.0.1/16"),
    anAddress(4, "fe80::1/64"),
    anAddress(4, "2001:db8::2/64"),
    anAddress(4, "192.0.2.1/30", { peer: "192.0.2.2" }),
    anAddress(5, "10.200.0.1/24"),
  ];
  const [device] = offered({ links: [link], addresses });
  expect(device?.name).toBe("veth1");
  expect(values(device)).toEqual({
    alias: "to the switch",
    encapsulation: "ether",
    ifName: "veth1",
    ipv4: "10.1.0.2/16,10.9.0.2/24,192.0.2.1/32",
    ipv6: "2001:db8::2/64",
    mac: "02:00:00:00:00:01",
    mtu: 1500,
    rdma: false,
    sriov: false,
    state: "lower-layer-down",
    type: "veth",
    virtual: true,
  });
  expect(device?.identity).toEqual({ ifname: "veth1", ifindex: 4, kind: "veth", address: "02:00:00:00:00:01" });
});

test("devicesOf() keeps attributes sorted and devices sorted by name", () => {
  const devices = offered({ links: [aLink(3, "eth1"), aLink(2, "eth0")], pci: [aFunction(NIC)] });
  expect(devices.map((device) => device.name)).toEqual(["eth0", "eth1", "pci-0000-3b-00-0"]);
  for (const { attributes } of devices) expect(Object.keys(attributes)).toEqual(Object.keys(attributes).sort());
});

test("devicesOf() uses the driver's name as domain, and the standard domain for what drivers share", () => {
  const pci = [aFunction(NIC, { numaNode: 1, pcieRoot: "pci0000:3a" })];
  const keys = Object.keys(offered({ pci }, { ...OPTIONS, domain: "net.example.com" })[0]?.attributes ?? {});
  expect(keys).toContain("net.example.com/numaNode");
  expect(keys.filter((key) => key.startsWith("dra.net/"))).toEqual([]);
  expect(keys.filter((key) => key.startsWith("resource.kubernetes.io/"))).toEqual([
    "resource.kubernetes.io/numaNode",
    "resource.kubernetes.io/pciBusID",
    "resource.kubernetes.io/pcieRoot",
  ]);
});

test("devicesOf() leaves out loopback, plumbing, and what the kernel does not move", () => {
  const links = [
    aLink(1, "lo", { flags: 9, arpType: 772 }),
    aLink(2, "docker0"),
    aLink(3, "cilium_net"),
    aLink(4, "cilium_host"),
    aLink(5, "br0", { kind: "bridge" }),
    aLink(6, "bond0", { kind: "bond" }),
    aLink(7, "red", { kind: "vrf" }),
    aLink(8, "tunl0", { kind: "ipip" }),
    aLink(9, "odd", { netnsImmutable: true }),
    aLink(10, "ipip1", { kind: "ipip" }),
    aLink(11, "br1", { kind: "bridge", netnsImmutable: false }),
  ];
  expect(names({ links })).toEqual(["br1", "ipip1"]);
});

test("devicesOf() does not offer the uplink, neither as link nor as function", () => {
  const facts = {
    links: [aLink(2, "eth0"), aLink(3, "eth1", { kind: "macvlan", lower: 2 })],
    locations: { eth0: { isVirtual: false, pciAddress: NIC } },
    pci: [aFunction(NIC, { ifnames: ["eth0"] })],
  };
  expect(names(facts)).toEqual(["eth1", "pci-0000-3b-00-0"]);
  expect(names({ ...facts, defaultRoutes: [aDefaultRoute(2)] })).toEqual(["eth1"]);
  expect(names({ ...facts, routedBy: { "10.96.0.1": 2 } })).toEqual(["eth1"]);
});

test("devicesOf() offers functions that a kernel driver has, also without a link", () => {
  const pci = [
    aFunction("0000:01:00.0"),
    aFunction("0000:01:00.1", { driver: "vfio-pci" }),
    { ...aFunction("0000:01:00.2"), driver: undefined },
  ].map(({ driver, ...device }) => (driver === undefined ? device : { ...device, driver }));
  expect(names({ pci })).toEqual(["pci-0000-01-00-0"]);
});

test("devicesOf() leaves out a function whose link only another namespace's sysfs shows", () => {
  const pci = [aFunction(NIC, { ifnames: ["eth0"] })];
  expect(names({ pci })).toEqual([]);
  // A namesake in this namespace is another link.
  const veth = aLink(7, "eth0", { kind: "veth" });
  const devices = offered({ pci, links: [veth], locations: { eth0: { isVirtual: false, pciAddress: NIC } } });
  expect(devices.map((device) => device.name)).toEqual(["eth0"]);
  expect(values(devices[0])).toMatchObject({ virtual: true, type: "veth" });
});

test("devicesOf() gives ids where pci.ids has no name", () => {
  const [device] = offered({ pci: [aFunction(NIC, { vendor: "fffe", device: "beef", subsystemDevice: "efa1" })] });
  expect(values(device)).toMatchObject({ pciVendor: "fffe", pciDevice: "beef", pciSubsystem: "efa1" });
});

test("devicesOf() lets a subfunction keep its function's place but not its PCI address", () => {
  const devices = offered({
    links: [aLink(2, "p0"), aLink(3, "sf88")],
    locations: {
      p0: { isVirtual: false, pciAddress: NIC },
      sf88: { isVirtual: false, pciAddress: NIC, subfunction: "mlx5_core.sf.4" },
    },
    pci: [aFunction(NIC, { numaNode: 1, ifnames: ["p0"], sriovTotalVfs: 8, sriovNumVfs: 2 })],
    rdma: {
      supported: true,
      devices: [
        { name: "mlx5_0", pciAddress: NIC, ifnames: [] },
        { name: "mlx5_4", pciAddress: NIC, subfunction: "mlx5_core.sf.4", ifnames: ["sf88"] },
      ],
    },
  });
  expect(devices.map((device) => device.name)).toEqual(["pci-0000-3b-00-0", "sf88"]);
  expect(values(devices[0])).toMatchObject({ ifName: "p0", rdmaDevice: "mlx5_0", sriov: true, sriovVfs: 2 });
  expect(values(devices[1])).toMatchObject({ ifName: "sf88", rdmaDevice: "mlx5_4", sriov: false, numaNode: 1 });
  expect(Object.keys(values(devices[1])).filter((key) => key.startsWith("pci"))).toEqual([]);
});

test("devicesOf() gives links that stand on a function its place, through any number of links in between", () => {
  const devices = offered({
    links: [
      aLink(2, "p0"),
      aLink(3, "p0.7", { kind: "vlan", lower: 2 }),
      aLink(4, "mv0", { kind: "macvlan", lower: 3 }),
      aLink(5, "veth0", { kind: "veth", lower: 2 }), // its peer has the PF's index by chance
      aLink(6, "mv1", { kind: "macvlan", lower: 2, linkNetnsId: 1 }), // another namespace's index
      aLink(7, "mv2", { kind: "macvlan", lower: 99 }),
      aLink(8, "loop0", { kind: "macvlan", lower: 8 }),
    ],
    locations: { p0: { isVirtual: false, pciAddress: NIC } },
    pci: [aFunction(NIC, { numaNode: 1, pcieRoot: "pci0000:3a", ifnames: ["p0"] })],
  });
  const place = (device: Device) => [
    values(device)["numaNode"],
    values(device)["resource.kubernetes.io/numaNode"],
    values(device)["resource.kubernetes.io/pcieRoot"],
    values(device)["pciAddress"] ?? values(device)["resource.kubernetes.io/pciBusID"],
  ];
  const nowhere = [undefined, undefined, undefined, undefined];
  expect(Object.fromEntries(devices.map((device) => [device.name, place(device)]))).toEqual({
    "pci-0000-3b-00-0": [1, 1, "pci0000:3a", NIC],
    [linkDeviceName("p0.7")]: [1, 1, "pci0000:3a", undefined],
    mv0: [1, 1, "pci0000:3a", undefined],
    veth0: nowhere,
    mv1: nowhere,
    mv2: nowhere,
    loop0: nowhere,
  });
});

test("devicesOf() places a VF where its PF is when the firmware tells nothing of the VF", () => {
  const pci = [
    aFunction(NIC, { numaNode: 1, pcieRoot: "pci0000:3a", virtfns: ["0000:3b:00.2"] }),
    aFunction("0000:3b:00.2", { physfn: NIC }),
  ];
  const expected = { numaNode: 1, "resource.kubernetes.io/pcieRoot": "pci0000:3a" };
  expect(offered({ pci }).map(values)).toMatchObject([expected, expected]);
});

test("devicesOf() knows the link of a VF's PF", () => {
  const pci = [
    aFunction(NIC, { ifnames: ["p0"] }),
    aFunction("0000:3b:00.2", { physfn: NIC, ifnames: ["p0v0"] }),
    aFunction("0000:3b:00.3", { physfn: "0000:99:00.0", ifnames: ["p9v0"] }),
  ];
  const links = [aLink(2, "p0"), aLink(3, "p0v0"), aLink(4, "p9v0")];
  const at = (pciAddress: string) => ({ isVirtual: false, pciAddress });
  const locations = { p0: at(NIC), p0v0: at("0000:3b:00.2"), p9v0: at("0000:3b:00.3") };
  expect(offered({ pci, links, locations }).map(({ pf }) => pf)).toEqual([undefined, "p0", undefined]);
});

test("devicesOf() publishes the standard NUMA attribute as a list when asked to, and its own as before", () => {
  const numaNodes = [0, 1].map((id) => ({ id, cpus: [id], package: 0, distances: { 0: 10, 1: 10 }, hasMemory: true }));
  const [device] = offered({ pci: [aFunction(NIC, { numaNode: 1 })], numaNodes }, { ...OPTIONS, listAttributes: true });
  expect(device?.attributes).toMatchObject({
    "dra.net/numaNode": { int: 1 },
    "resource.kubernetes.io/numaNode": { ints: [1, 0] },
  });
});

test("devicesOf() tells about eBPF only when somebody looked", () => {
  const links = [aLink(2, "eth0"), aLink(3, "eth1")];
  expect(values(offered({ links })[0])).not.toHaveProperty("ebpf");
  const programs = {
    eth0: { tcFilterNames: ["b", "a"], tcxProgramNames: [] },
    eth1: { tcFilterNames: [], tcxProgramNames: [] },
  };
  const [eth0, eth1] = offered({ links, programs });
  expect(values(eth0)).toMatchObject({ ebpf: true, tcFilterNames: "a,b" });
  expect(values(eth1)).toMatchObject({ ebpf: false });
});

test("devicesOf() tells of a VF which PF it has, that PF's link where it is on the host, and its own number", () => {
  const pf = aFunction("0000:3b:00.0", { virtfns: ["0000:3b:00.2", "0000:3b:00.3"], sriovTotalVfs: 8, sriovNumVfs: 2 });
  const vf = aFunction("0000:3b:00.3", { physfn: pf.address });
  const at = (pciAddress: string, physSwitchId?: string) => ({
    isVirtual: false,
    pciAddress,
    ...(physSwitchId === undefined ? {} : { physSwitchId }),
  });
  const facts = factsWith({
    pci: [pf, vf],
    links: [aLink(2, "p0", { mtu: 4000 }), aLink(3, "v1")],
    locations: { p0: at(pf.address, "2e1a65"), v1: at(vf.address) },
  });
  const ownOf = (from: typeof facts, name: string) => {
    const device = devicesOf(from, OPTIONS).find((candidate) => candidate.name === name);
    const own = ["pfMtu", "pfName", "pfPciAddress", "physSwitchId", "vfIndex"].map((id) => `dra.net/${id}`);
    return Object.fromEntries(Object.entries(device?.attributes ?? {}).filter(([id]) => own.includes(id)));
  };
  const known = {
    "dra.net/pfPciAddress": { string: "0000:3b:00.0" },
    "dra.net/vfIndex": { int: 1 },
  };
  expect(ownOf(facts, "pci-0000-3b-00-3")).toEqual({
    ...known,
    "dra.net/pfName": { string: "p0" },
    "dra.net/pfMtu": { int: 4000 },
    "dra.net/physSwitchId": { string: "2e1a65" },
  });
  expect(ownOf(facts, "pci-0000-3b-00-0")).toEqual({ "dra.net/physSwitchId": { string: "2e1a65" } });
  const pfAway = { ...facts, links: facts.links.filter(({ ifname }) => ifname !== "p0") };
  expect(ownOf(pfAway, "pci-0000-3b-00-3")).toEqual(known);
});

test("devicesOf() offers functions that vfio-pci has when asked to, and says that it has them", () => {
  const facts = factsWith({ pci: [aFunction("0000:3b:00.1", { driver: "vfio-pci" })] });
  expect(devicesOf(facts, OPTIONS)).toEqual([]);
  const [device] = devicesOf(facts, { ...OPTIONS, offerVfio: true });
  expect(device?.identity).toEqual({ pciAddress: "0000:3b:00.1", vfio: true });
  expect(device?.attributes["dra.net/vfio"]).toEqual({ bool: true });
});

test("devicesOf() offers an InfiniBand function without a link by its RDMA device, also where user space has no provider", () => {
  const port = { number: 1, linkLayer: "InfiniBand", state: "ACTIVE", rateMbps: 200_000 };
  const rdma = { name: "mlx5_1", pciAddress: NIC, overEthernet: false, ports: [port], ifnames: [] };
  const find = (hasProvider: boolean) =>
    offered({
      pci: [aFunction(NIC, { classCode: "020700" })],
      rdma: { supported: true, devices: [{ ...rdma, hasProvider }] },
    });
  const [device, ...others] = find(false);
  expect(others).toEqual([]);
  expect(device?.identity).toEqual({ pciAddress: NIC, rdmaName: "mlx5_1" });
  expect(values(device)).toMatchObject({
    rdma: true,
    rdmaDevice: "mlx5_1",
    rdmaLinkLayer: "InfiniBand",
    rdmaPortState: "ACTIVE",
    rdmaProvider: false,
    rdmaSpeedMbps: 200_000,
  });
  expect(values(find(true)[0])["rdmaProvider"]).toBe(true);
});
