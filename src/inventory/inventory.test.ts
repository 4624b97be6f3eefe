import { expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { aDefaultRoute, aLink, factsWith } from "../../test/fakes/facts.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { silentLogger } from "../lib/log.ts";
import type { Device } from "./device.ts";
import type { InventoryFacts } from "./facts.ts";
import { Inventory, type InventoryParts } from "./inventory.ts";
import { builtInPciIds } from "./pci-ids.ts";

/** A host whose links the test changes, and an inventory of it that runs until disposed. */
class Host implements AsyncDisposable {
  readonly clock = new ManualClock();
  links: string[] = ["eth1"];
  /** The link with the default route. */
  uplink = "";
  held: Device[] = [];
  travelling: string[] = [];
  scans = 0;
  /** Called in the middle of a scan. */
  duringScan: () => void | Promise<void> = () => undefined;
  readonly stop = new AbortController();
  readonly inventory: Inventory;
  readonly #running: Promise<void>;

  constructor(parts: Partial<InventoryParts> = {}) {
    this.inventory = new Inventory({
      scan: () => this.#scan(),
      options: { domain: "dra.net", moveIbInterfaces: true, pciNames: builtInPciIds },
      filter: () => true,
      sharing: { isShareable: () => false, maxShares: 1 },
      held: () => this.held,
      travelling: () => this.travelling,
      minPollIntervalMs: 2000,
      maxPollIntervalMs: 60_000,
      pollBurst: 5,
      clock: this.clock,
      log: silentLogger,
      ...parts,
    });
    this.#running = this.inventory.run(this.stop.signal);
  }

  async #scan(): Promise<InventoryFacts> {
    this.scans += 1;
    const links = this.links.map((ifname, n) => aLink(n + 2, ifname));
    await this.duringScan();
    const uplink = links.find(({ ifname }) => ifname === this.uplink);
    return factsWith({ links, defaultRoutes: uplink === undefined ? [] : [aDefaultRoute(uplink.ifindex)] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort(new Error("the test is over"));
    await this.#running;
  }
}

const signal = AbortSignal.timeout(5000);
const namesOf = (devices: readonly Device[] | undefined) => devices?.map((device) => device.name);

test("Inventory scans at start and tells when", async () => {
  await using host = new Host();
  expect(host.inventory.lastScanMs).toBeUndefined();
  host.clock.advance(7);
  const { value } = await host.inventory.changes(signal).next();
  expect(namesOf(value ?? [])).toEqual(["eth1"]);
  expect(host.inventory.lastScanMs).toBe(7);
});

test("rescan() gives the devices by a scan that began after the call", async () => {
  await using host = new Host();
  const first = Promise.withResolvers<void>();
  host.duringScan = () => first.promise;
  const devices = host.inventory.rescan(signal);
  host.links = ["eth2"];
  first.resolve();
  expect(namesOf(await devices)).toContain("eth2");
});

test("rescan() looks for the uplink anew: what was offered is not once it has the default route", async () => {
  await using host = new Host();
  host.links = ["eth1", "eth2"];
  expect(namesOf(await host.inventory.rescan(signal))).toEqual(["eth1", "eth2"]);
  host.uplink = "eth1";
  expect(namesOf(await host.inventory.rescan(signal))).toEqual(["eth2"]);
  host.uplink = "eth2";
  expect(namesOf(await host.inventory.rescan(signal))).toEqual(["eth1"]);
});

test("changes() yields only what changed, and the newest of it", async () => {
  await using host = new Host();
  const changes = host.inventory.changes(signal);
  expect(namesOf((await changes.next()).value ?? [])).toEqual(["eth1"]);
  await host.inventory.rescan(signal);
  const next = changes.next();
  host.links = ["eth1", "eth2"];
  await host.inventory.rescan(signal);
  expect(namesOf((await next).value ?? [])).toEqual(["eth1", "eth2"]);
  for (const links of [["eth3"], ["eth4"]]) {
    host.links = links;
    await host.inventory.rescan(signal);
  }
  expect(namesOf((await changes.next()).value ?? [])).toEqual(["eth4"]);
});

test("changes() begins with an empty list on a host without devices, and ends when its signal aborts", async () => {
  await using host = new Host({ filter: () => false });
  const stop = new AbortController();
  const changes = host.inventory.changes(stop.signal);
  expect((await changes.next()).value).toEqual([]);
  const next = changes.next();
  stop.abort();
  expect(await next).toEqual({ value: undefined, done: true });
});

test("Inventory scans at the maximum interval without being asked", async () => {
  await using host = new Host();
  await host.inventory.rescan(signal);
  await eventually("sleep", () => host.clock.sleeping.length > 0);
  const { scans } = host;
  expect(host.clock.sleeping).toEqual([60_000]);
  host.clock.advance(60_000);
  await eventually("a scan", () => host.scans > scans);
});

test("Inventory holds a storm of requests to the burst, then to the minimum interval", async () => {
  await using host = new Host({ pollBurst: 2 });
  await host.inventory.rescan(signal);
  host.inventory.requestScan();
  await eventually("the second scan", () => host.scans === 2);
  for (let n = 0; n < 100; n++) host.inventory.requestScan();
  await eventually("sleep", () => host.clock.sleeping.length > 0);
  expect(host.scans).toBe(2);
  expect(host.clock.sleeping).toEqual([2000]);
  host.clock.advance(2000);
  await eventually("the third scan", () => host.scans === 3);
});

test("Inventory keeps the devices when a scan fails, and tries again", async () => {
  await using host = new Host();
  await host.inventory.rescan(signal);
  let tries = 0;
  const gate = Promise.withResolvers<void>();
  host.duringScan = () => {
    if (tries++ === 0) throw new Error("the dump was interrupted");
    return gate.promise;
  };
  host.links = ["eth2"];
  const next = host.inventory.rescan(signal);
  await eventually("a second try", () => tries === 2);
  expect(namesOf(host.inventory.devices)).toEqual(["eth1"]);
  gate.resolve();
  expect(namesOf(await next)).toEqual(["eth2"]);
});

test("Inventory publishes a held device while its link is away, also if it comes home during a scan", async () => {
  await using host = new Host();
  const seen: string[][] = [];
  const reader = (async () => {
    for await (const devices of host.inventory.changes(host.stop.signal)) seen.push(namesOf(devices) ?? []);
  })();
  const [eth1] = await host.inventory.rescan(signal);
  host.held = eth1 === undefined ? [] : [eth1];
  host.links = [];
  await host.inventory.rescan(signal);
  host.duringScan = () => {
    host.held = [];
    host.links = ["eth1"];
  };
  const { scans } = host;
  await host.inventory.rescan(signal);
  await eventually("the scan that follows a release", () => host.scans >= scans + 2);
  expect(namesOf(host.inventory.devices)).toEqual(["eth1"]);
  host.stop.abort();
  await reader;
  expect(seen).toEqual([["eth1"]]);
});

test("a link on its way is not offered, whether it sets out or comes home while the host is read", async () => {
  await using host = new Host();
  host.links = ["eth1", "nfaway"];
  host.travelling = ["nfaway"];
  host.duringScan = () => {
    host.travelling = [];
  };
  expect(namesOf(await host.inventory.rescan(signal))).toEqual(["eth1"]);
  host.duringScan = () => {
    host.travelling = ["nfaway"];
  };
  expect(namesOf(await host.inventory.rescan(signal))).toEqual(["eth1"]);
});
