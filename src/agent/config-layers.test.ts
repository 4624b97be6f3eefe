import { afterEach, beforeEach, expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { aRoute } from "../../test/fakes/facts.ts";
import { MetadataService } from "../../test/fakes/metadata-service.ts";
import { ClaimStore } from "../claims/store.ts";
import { claimDevice, link, snapshot } from "../claims/testing.ts";
import { buildConfig } from "../config/flags.ts";
import type { Device } from "../inventory/device.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import type { Route } from "../netlink/route.ts";
import { type LayerParts, withLayers } from "./config-layers.ts";
import { ProviderSeat } from "./providers.ts";

const signal = new AbortController().signal;
const POD = { uid: "pod", name: "p", namespace: "ns", hostNetwork: false };
/** The second interface of the documented example; its device is not named like its link. */
const DEVICE: Device = {
  name: "pci-0001-00-02-0",
  identity: { ifname: "eth1", address: "00:0d:3a:5b:6c:7d", pciAddress: "0001:00:02.0" },
  attributes: {},
};
const LINK = link({ ifname: "eth1", ifindex: 7, parentDevName: "0001:00:02.0" });
const DEFAULT6 = aRoute({ family: "ipv6", destination: "::/0", gateway: "fe80::1234", protocol: 9 });

let service: MetadataService;
let store: ClaimStore;
let routes: readonly Route[];
let stop: AbortController;
let running: Promise<void>;
let changes: number;
beforeEach(() => {
  service = new MetadataService("azure");
  store = ClaimStore.open(":memory:", "boot");
  routes = [DEFAULT6];
  stop = new AbortController();
  running = Promise.resolve();
  changes = 0;
});
afterEach(async () => {
  stop.abort(new Error("the test is over"));
  await running;
  store[Symbol.dispose]();
  service[Symbol.dispose]();
});

function partsWith(hint: string): LayerParts {
  const config = buildConfig(
    new Map([
      ["cloud-provider-hint", [hint]],
      ["cloud-provider-options", [`azure.endpoint=${service.url}`]],
    ]),
  );
  const providers = new ProviderSeat({
    config,
    store,
    metrics: new Metrics(),
    clock: systemClock,
    log: silentLogger,
    onChange: () => {
      changes += 1;
    },
  });
  running = providers.run(stop.signal);
  return {
    providers,
    store,
    // The kernel's part is what the scanning Worker reads; here is what it would have read.
    kernel: {
      listLinks: async () => [link({ ifname: "eth0", ifindex: 2 }), LINK],
      snapshotLink: async ({ ifindex }) => snapshot({ link: LINK, routes: ifindex === 7 ? routes : [] }),
    },
    findDevice: async (name) => (name === DEVICE.name ? DEVICE : undefined),
    driver: "dra.net",
  };
}

function claimOf(config: object) {
  const devices = [{ request: "nic", pool: "node", device: DEVICE.name, config }];
  return { uid: "c1", namespace: "ns", name: "c", devices };
}

async function configOf(parts: LayerParts, config: object = {}) {
  return (await withLayers(parts, claimOf(config), POD, signal)).devices[0]?.config;
}

test("withLayers() has Azure's rules and routes under the claim, IPv6 by the gateway of the interface itself", async () => {
  const parts = partsWith("AZURE");
  await eventually("the metadata are read", () => changes > 0);
  const rules = [
    { source: "10.9.255.0/24", table: 101 },
    { source: "ace:cab:deca::5/128", table: 101 },
  ];
  expect(
    await configOf(parts, {
      interface: { name: "net1" },
      routes: [{ destination: "0.0.0.0/0", gateway: "10.9.255.254", table: 101 }],
    }),
  ).toEqual({
    interface: { name: "net1" },
    rules,
    routes: [
      { destination: "0.0.0.0/0", gateway: "10.9.255.254", table: 101 },
      { destination: "::/0", gateway: "fe80::1234", table: 101 },
    ],
  });
  const hops = [
    { ifindex: 2, gateway: "fe80::aaaa", weight: 1, flags: 0, attributes: [] },
    { ifindex: 7, gateway: "fe80::bbbb", weight: 1, flags: 0, attributes: [] },
  ];
  const { gateway: _, ...multipath } = DEFAULT6;
  routes = [{ ...multipath, nextHops: hops }];
  expect((await configOf(parts))?.routes?.at(-1)).toEqual({ destination: "::/0", gateway: "fe80::bbbb", table: 101 });
  routes = [];
  expect((await configOf(parts))?.rules).toEqual(rules.slice(0, 1));
});

test("withLayers() asks nobody where no provider runs, and leaves a device that is in its pod as it was planned", async () => {
  const config = { interface: { name: "net1" } };
  expect(await configOf(partsWith("NONE"), config)).toBe(config);
  expect(service.asked).toEqual([]);
  const parts = partsWith("AZURE");
  store.put([claimDevice({ claimUid: "c1", request: "nic", device: DEVICE.name, sandboxId: "s", state: "attached" })]);
  expect(await configOf(parts, config)).toBe(config);
});

test("withLayers() refuses a profile that nobody knows, and says for which claim and device", async () => {
  const refused = configOf(partsWith("NONE"), { profile: "pool-a" });
  await expect(refused).rejects.toThrow(`claim ns/c, device ${DEVICE.name}`);
  expect(store.profiles.ofClaim("c1")).toEqual([]);
});
