/** DRANET itself and netferry on the same links of one host: what each publishes, what a pod gets of each, what comes back. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { MetadataService } from "../fakes/metadata-service.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, type PublishedDevice, pod } from "../lab/cluster/workload.ts";
import { type HostState, hostState } from "../lab/host-state.ts";
import { hasLink, ip, uniqueName, writeSysctl } from "../lab/links.ts";
import { BothDrivers, DRIVERS, type DriverName, mended } from "./both-drivers.ts";
import { ALIAS, netConfig, settled, type TestLink } from "./netferry-lab.ts";
import { type PodView, podView } from "./pod-view.ts";

// With empty caches it begins with two builds.
const START_LIMIT_MS = 30 * 60_000;
const LIMIT_MS = 400_000;
const HOME_LIMIT_MS = 60_000;
/** What the kernel does with a link that has just come home. */
const SETTLED_LIMIT_MS = 10_000;
/** Of an interface of the documented machine. */
const CLOUD_MAC = "42:01:0a:80:00:46";

/** What DRANET publishes and netferry does not, on purpose. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  bridge: "the kernel moves no bridge into another namespace: a pod that gets one does not start",
};
/** Values that are lists in one text: DRANET writes them in another order each time, netferry sorts them. */
const LISTS = ["dra.net/ipv4", "dra.net/ipv6"];

let cloud: MetadataService;
let both: BothDrivers;

beforeAll(async () => {
  cloud = new MetadataService("gce");
  cloud.answers.set("/computeMetadata/v1/instance/name", "documented");
  const args = ["--cloud-provider-hint=GCE", `--cloud-provider-options=gce.endpoint=${cloud.url}`];
  both = await BothDrivers.start({ metadataHost: cloud.host, args });
}, START_LIMIT_MS);
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  cloud[Symbol.dispose]();
}, LIMIT_MS);

test(
  "every device and attribute that DRANET publishes is published by netferry, of the same name, type and value",
  async () => {
    const { links, workload } = both.lab;
    const names = {
      veth: links.vethToPeer().ifname,
      macvlan: (await both.lab.macvlan({ waits: false })).ifname,
      vxlan: uniqueName("x"),
      ifb: uniqueName("i"),
      /** Not a name for a device: it gets one in base32. */
      odd: `${uniqueName("O")}_dd`,
      bridge: uniqueName("b"),
    };
    links.run(
      ["link", "add", names.vxlan, "type", "vxlan", "id", "42", "dstport", "4790", "local", "127.0.0.1"],
      ["link", "del", names.vxlan],
    );
    links.run(["link", "add", names.ifb, "type", "ifb"], ["link", "del", names.ifb]);
    links.run(["link", "add", names.odd, "type", "veth", "peer", "name", uniqueName("p")], ["link", "del", names.odd]);
    links.run(["link", "add", names.bridge, "type", "bridge"], ["link", "del", names.bridge]);
    for (const ifname of Object.values(names)) ip("link", "set", ifname, "alias", ALIAS);
    ip("link", "set", names.veth, "address", CLOUD_MAC, "mtu", "8896", "up");
    for (const address of ["10.128.0.70/20", "192.0.2.7/32", "169.254.9.9/16", "fd73:1::7/64", "2001:db8:73::7/128"])
      ip("addr", "add", address, "dev", names.veth, ...(address.includes(":") ? ["nodad"] : []));
    await settled(names.veth);

    const published = {} as Record<DriverName, readonly PublishedDevice[]>;
    for (const driver of DRIVERS) {
      await both.run(driver);
      const isWhole = async () => {
        const found = await workload.devices();
        return Object.values(names).every(
          (ifname) => (driver === "netferry" && ifname === names.bridge) || found.some(isOf(ifname)),
        );
      };
      await until(`${driver} has published all`, isWhole, HOME_LIMIT_MS);
      const hasCloud = async () =>
        (await workload.devices()).every(({ attributes }) => "gce.dra.net/machineType" in attributes);
      await until(`${driver} has asked its cloud`, hasCloud, HOME_LIMIT_MS);
      published[driver] = await workload.devices();
    }

    const compared = published.DRANET.filter((device) => !(typeOf(device) in LEFT_OUT));
    expect(compared.length).toBe(Object.keys(names).length - Object.keys(LEFT_OUT).length);
    for (const device of compared) {
      const ours = published.netferry.find(({ name }) => name === device.name);
      const wanted = comparable(device);
      expect({ name: ours?.name, ...pick(comparable(ours), Object.keys(wanted)) }).toEqual({
        name: device.name,
        ...wanted,
      });
    }
    const attributes = new Set(compared.flatMap((device) => Object.keys(device.attributes)));
    for (const name of [
      "ifName",
      "mac",
      "mtu",
      "encapsulation",
      "alias",
      "state",
      "type",
      "ipv4",
      "ipv6",
      "ebpf",
      "sriov",
      "virtual",
      "rdma",
    ])
      expect(attributes).toContain(`dra.net/${name}`);
    for (const name of ["machineType", "block", "subBlock", "host", "networkName", "networkProjectNumber", "ipAliases"])
      expect(attributes).toContain(`gce.dra.net/${name}`);
    expect(published.netferry.map(typeOf)).not.toContain("bridge");
  },
  LIMIT_MS,
);

const CONFIGS: Readonly<Record<string, object>> = {
  "a name, addresses, MTU, hardware address, routes, rules and neighbours": {
    interface: {
      name: "net1",
      addresses: ["10.99.0.9/24", "fd99::9/64"],
      mtu: 1400,
      hardwareAddr: "02:00:00:99:00:09",
    },
    routes: [
      { destination: "10.98.0.0/16", gateway: "10.99.0.1" },
      { destination: "10.97.0.0/16", scope: 253 },
      { destination: "0.0.0.0/0", gateway: "10.99.0.1", table: 99 },
      { destination: "10.96.0.0/16", gateway: "10.99.0.2", source: "10.99.0.9" },
      { destination: "fd98::/32", gateway: "fd99::1" },
    ],
    rules: [{ priority: 30_099, source: "10.99.0.0/24", table: 99 }],
    neighbors: [{ destination: "10.99.0.77", hardwareAddr: "02:00:00:99:00:77" }],
  },
  "nothing but a name: what the link has goes along": { interface: { name: "net1" } },
};

test.each(Object.keys(CONFIGS))(
  "a pod whose claim asks for %s sees the same by either",
  async (what) => {
    let link = await mended(await both.lab.macvlan({ waits: false }));
    const seen = {} as Record<DriverName, PodView>;
    for (const driver of DRIVERS) {
      await both.run(driver);
      // DRANET takes the link's routes along even so, and starts no pod where their source stays at home.
      if (what.includes("addresses")) ip("addr", "flush", "dev", link.ifname, "scope", "global");
      seen[driver] = await inPod(link, CONFIGS[what] ?? {}, () => podView(both.lab.cluster, "net1"));
      link = await mended(link);
    }
    expect(seen.netferry).toEqual(seen.DRANET);
  },
  LIMIT_MS,
);

/** Of the link: its MTU, which the pod's claim had set. */
const LOST = ["link", "addresses", "lifetimes", "routes", "neighbors", "sysctls"];

test(
  "DRANET brings a link home without its state, netferry with all of it",
  async () => {
    const link = await both.lab.macvlan({ waits: false });
    const config = { interface: { name: "net1", mtu: 1400 } };
    for (const driver of DRIVERS) {
      await both.run(driver);
      const before = await furnished(link);
      await inPod(link, config, async () => undefined);
      await until(`${link.ifname} is back`, async () => hasLink(link.ifname), HOME_LIMIT_MS);
      await settled(link.ifname);
      const wanted = driver === "netferry" ? [] : LOST;
      const isThere = async () => Bun.deepEquals(whatDiffers(before, hostState(link.ifname)), wanted);
      await until("it is as expected", isThere, SETTLED_LIMIT_MS).catch(() => undefined);
      expect(whatDiffers(before, hostState(link.ifname))).toEqual(wanted);
    }
  },
  LIMIT_MS,
);

test(
  "of a link that has an address DRANET starts no pod whose claim gives it another one, and netferry does",
  async () => {
    const link = await both.lab.macvlan({ waits: false });
    const { workload } = both.lab;
    const name = uniqueName("pod");
    await both.run("DRANET");
    await workload.offeredLink(link.ifname);
    await workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
      pod(name, { claims: { net: name } }),
    );
    const isRefused = async () =>
      (await workload.events(name)).some(({ message }) => message.includes("fail to add route"));
    await until("DRANET refuses the pod", isRefused, HOME_LIMIT_MS);
    await workload.deletePods(name);
    await workload.deleteClaims(name);
    await mended(link);
    await both.run("netferry");
    const { addresses } = await inPod(link, netConfig(link), () => podView(both.lab.cluster, "net1"));
    expect(JSON.stringify(addresses)).toContain(`"local":"${link.address.split("/")[0]}"`);
  },
  LIMIT_MS,
);

/** Gives the link all that a host may have on one. */
async function furnished({ ifname, home, peer }: TestLink): Promise<HostState> {
  ip("link", "set", ifname, "mtu", "1450", "up");
  ip("addr", "flush", "dev", ifname, "scope", "global");
  ip("addr", "add", home, "dev", ifname, "metric", "77");
  ip("addr", "add", "fd73:5::5/64", "dev", ifname, "valid_lft", "7000", "preferred_lft", "6000", "nodad");
  ip("route", "replace", "10.96.0.0/16", "via", peer, "dev", ifname, "metric", "55", "mtu", "1300");
  ip("neigh", "replace", peer, "lladdr", "02:00:00:73:00:01", "nud", "permanent", "dev", ifname);
  writeSysctl("ipv4", ifname, "arp_notify", "1");
  await settled(ifname);
  return hostState(ifname);
}

/** The parts of the state that are not the same; what runs down meanwhile has only to run down. */
function whatDiffers(before: HostState, after: HostState): string[] {
  const keys = Object.keys(before) as (keyof HostState)[];
  return keys.filter((key) => !Bun.deepEquals(stillOf(before)[key], stillOf(after)[key]));
}

function stillOf(state: HostState): HostState {
  const seconds = Object.entries(state.lifetimes).map(([address, left]) => [address, left > 6_000 && left <= 7_000]);
  const routes = state.routes.map((route) => JSON.stringify({ ...(route as object), expires: undefined }));
  return { ...state, routes: routes.sort(), lifetimes: Object.fromEntries(seconds) };
}

/** Runs `look` while a pod has the link. */
async function inPod<T>({ ifname }: TestLink, config: object, look: () => Promise<T>): Promise<T> {
  const { workload } = both.lab;
  const name = uniqueName("pod");
  await workload.offeredLink(ifname);
  await workload.create(
    claim(name, { requests: { nic: byName(ifname) }, config }),
    pod(name, { claims: { net: name } }),
  );
  await workload.podReady(name);
  try {
    return await look();
  } finally {
    await workload.deletePods(name);
    await workload.deleteClaims(name);
  }
}

function isOf(ifname: string): (device: PublishedDevice) => boolean {
  return ({ attributes }) => textOf(attributes["dra.net/ifName"]) === ifname;
}

function typeOf({ attributes }: PublishedDevice): string {
  return textOf(attributes["dra.net/type"]) ?? "";
}

function textOf(attribute: object | undefined): string | undefined {
  return (attribute as { readonly string?: string } | undefined)?.string;
}

/** Its attributes, texts that are lists as lists. */
function comparable(device: PublishedDevice | undefined): Readonly<Record<string, unknown>> {
  const entries = Object.entries(device?.attributes ?? {});
  return Object.fromEntries(
    entries.map(([name, value]) => [name, LISTS.includes(name) ? textOf(value)?.split(",").sort() : value]),
  );
}

function pick(all: Readonly<Record<string, unknown>>, names: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}
