import { afterEach, expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { IpamWebhook } from "../../test/fakes/ipam-webhook.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { MetadataService } from "../../test/fakes/metadata-service.ts";
import { ClaimStore } from "../claims/store.ts";
import type { Device } from "../inventory/device.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import { createLogger } from "../lib/log.ts";
import { viewOf } from "./cloud.ts";
import { Providers, type ProvidersParts } from "./providers.ts";

const signal = new AbortController().signal;
const FACTS = { pci: [] };
const LOOKUP = { gateway6: async () => undefined, signal };
const KEY = { claimUid: "c1", request: "nic", device: "eth1", shareId: "" };
const HELD = { device: { name: "eth1" }, claim_uid: "c1", config: { profile: "pool-a" } };

const running: Host[] = [];
afterEach(async () => {
  for (const host of running.splice(0)) await host.stop();
});

/** Providers that run, with the options of a command line. */
class Host {
  readonly clock = new ManualClock();
  readonly store = ClaimStore.open(":memory:", "boot");
  readonly lines: string[] = [];
  readonly providers: Providers;
  changes = 0;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(config: Partial<ProvidersParts["config"]>, parts: Partial<ProvidersParts> = {}) {
    // No test may ask a real service: what it does not name is where nobody listens.
    const elsewhere = Object.fromEntries(
      ["gce", "aws", "azure", "oke", "alibaba"].map((cloud) => [cloud, { endpoint: "http://127.0.0.1:1" }]),
    );
    const cloudProviderOptions = { ...elsewhere, ...config.cloudProviderOptions };
    this.providers = new Providers({
      config: { cloudProviderHint: "", profileProvider: "cloud", webhookUrl: "", ...config, cloudProviderOptions },
      records: this.store.profiles,
      claims: this.store,
      onChange: () => {
        this.changes += 1;
      },
      onReleaseFailed: () => undefined,
      clock: this.clock,
      log: createLogger({ level: "info", write: (line) => this.lines.push(String(JSON.parse(line).message)) }),
      probeLimitMs: 1_000,
      ...parts,
    });
    this.#running = this.providers.run(this.#stop.signal);
    running.push(this);
  }

  /** The attributes that a scan finds now, those of `device` itself apart. */
  attributesOf(one: Device): string[] {
    const [found] = this.providers.enrich([one], FACTS);
    return Object.keys(found?.attributes ?? {}).filter((name) => !Object.hasOwn(one.attributes, name));
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error("the agent stops"));
    await this.#running;
    this.store[Symbol.dispose]();
  }
}

function device(address: string, ifname = "eth1"): Device {
  return {
    name: ifname,
    identity: { ifname, address },
    attributes: { "dra.net/ifName": { string: ifname }, "dra.net/virtual": { bool: false } },
  };
}
const GCE_DEVICE = device("42:01:0a:80:00:46");
const AZURE_DEVICE = device("00:11:aa:ff:bb:22");

test("Providers asks for nothing with the hint NONE, and configures nothing", async () => {
  using service = new MetadataService("gce");
  const options = { cloudProviderOptions: { gce: { endpoint: service.url } } };
  const host = new Host({ cloudProviderHint: "NONE", ...options });
  expect(await host.providers.deviceConfig(viewOf(GCE_DEVICE), LOOKUP)).toBeUndefined();
  expect(host.providers.enrich([GCE_DEVICE], FACTS)[0]).toBe(GCE_DEVICE);
  expect(service.asked).toEqual([]);
});

test("Providers finds the cloud, and devices have its attributes once they are known", async () => {
  using service = new MetadataService("gce");
  service.isSilent = true;
  const host = new Host({ cloudProviderOptions: { gce: { endpoint: service.url } } }, { probeLimitMs: 5_000 });
  await eventually("it asks", () => service.asked.length === 1);
  expect(host.providers.enrich([GCE_DEVICE], FACTS)[0]).toBe(GCE_DEVICE);
  service.speak();
  await eventually("it has been told", () => host.changes === 1);
  expect(host.attributesOf(GCE_DEVICE)).toContain("gce.dra.net/networkName");
});

test("Providers asks the service once, however often the host is scanned", async () => {
  using service = new MetadataService("gce");
  const host = new Host({ cloudProviderHint: "GCE", cloudProviderOptions: { gce: { endpoint: service.url } } });
  await eventually("it has been told", () => host.changes === 1);
  const asked = service.asked.length;
  for (let n = 0; n < 100; n++) host.attributesOf(GCE_DEVICE);
  expect(service.asked).toHaveLength(asked);
});

test("Providers reads again for an interface that came later, a few times, and not for virtual links", async () => {
  using service = new MetadataService("gce");
  const host = new Host({ cloudProviderHint: "GCE", cloudProviderOptions: { gce: { endpoint: service.url } } });
  const path = "/computeMetadata/v1/instance/network-interfaces/?recursive=true&alt=json";
  const reads = () => service.asked.filter((one) => one === `GET ${path}`).length;
  const late = device("42:01:c0:a8:09:09");
  const veth: Device = { ...device("02:00:00:00:00:07"), attributes: { "dra.net/virtual": { bool: true } } };
  for (let read = 1; read <= 4; read++) {
    await eventually(`read ${read}`, () => reads() === read && host.changes === read);
    await eventually("the least interval runs", () => host.clock.sleeping.length > 0);
    host.attributesOf(late);
    host.attributesOf(veth);
    host.clock.advance(30_000);
  }
  // Three times for the one interface; nothing is asked for any more.
  await eventually("the reader rests", () => host.clock.sleeping.length === 0);
  host.attributesOf(late);
  host.attributesOf(veth);
  expect(reads()).toBe(4);
});

test("Providers looks three times for a cloud before it knows that there is none", async () => {
  using service = new MetadataService("gce");
  service.refuses = 503;
  const host = new Host({ cloudProviderOptions: { gce: { endpoint: service.url } } });
  await eventually("the first round", () => host.clock.sleeping[0] === 10_000);
  // Prepare waits for the first round alone.
  expect(await host.providers.deviceConfig(viewOf(GCE_DEVICE), LOOKUP)).toBeUndefined();
  host.clock.advance(10_000);
  await eventually("the second round", () => host.clock.sleeping[0] === 60_000);
  service.refuses = undefined;
  host.clock.advance(60_000);
  await eventually("it has been told", () => host.changes === 1);
  expect(host.lines).toEqual(["looked for a cloud's metadata service", "the cloud's metadata are read"]);
});

test("Providers refuses a device of Azure while its configuration is not known, and tells once that it is not", async () => {
  using service = new MetadataService("azure");
  service.refuses = 500;
  const host = new Host({ cloudProviderHint: "AZURE", cloudProviderOptions: { azure: { endpoint: service.url } } });
  const config = () => host.providers.deviceConfig(viewOf(AZURE_DEVICE), LOOKUP);
  for (const pauseMs of [1_000, 2_000]) {
    await eventually("a failure", () => (host.clock.sleeping[0] ?? 0) > pauseMs / 2);
    const refused = await config().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ClaimError);
    expect(describeError(refused)).toMatch(
      /^device eth1 needs a configuration of AZURE, whose metadata could not be read yet; the kubelet tries again: GET \/metadata/,
    );
    host.clock.advance(pauseMs);
  }
  service.refuses = undefined;
  await eventually("the next pause", () => host.clock.sleeping.length > 0);
  host.clock.advance(10_000);
  await eventually("it has been told", () => host.changes === 1);
  expect((await config())?.rules).toEqual([{ source: "10.144.133.128/26", table: 100 }]);
  expect(host.lines).toEqual([
    "the cloud's metadata could not be read; they are asked for again",
    "the cloud's metadata are read",
  ]);
});

const NIC = {
  mac: "42:01:0a:80:00:46",
  network: "projects/628944397724/networks/rdma-1",
  gateway: "10.128.0.1",
  ipAliases: ["10.24.3.0/24", "10.25.0.0/16"],
  ipv6: ["2001:db8:1234:5678::/64"],
  gatewayIpv6: "fe80::1",
};
/** 1000 and the FNV-1a of the MAC address modulo 1000. */
const TABLE = 1627;

async function gce(service: MetadataService, nic: object): Promise<Host> {
  service.answers.set("/computeMetadata/v1/instance/network-interfaces/?recursive=true&alt=json", [nic]);
  const host = new Host({ cloudProviderHint: "GCE", cloudProviderOptions: { gce: { endpoint: service.url } } });
  await eventually("it has been told", () => host.changes === 1);
  return host;
}

test("Providers gives an IPVLAN on GCE addresses that lead to its interface, and routes what comes from them by it", async () => {
  using service = new MetadataService("gce");
  const { providers } = await gce(service, NIC);
  const of = (link: object, rest: object = {}) =>
    providers.childConfig(KEY, viewOf(GCE_DEVICE), { interface: { type: "IPVLAN", ...link }, ...rest });
  const given = await of({});
  const [six = "", four = ""] = given.interface?.addresses ?? [];
  expect(four).toMatch(/^10\.24\.3\.\d+\/32$/);
  expect(six).toMatch(/^2001:db8:1234:5678:c0de:/);
  const gateway4 = [
    { destination: "10.128.0.1/32", scope: 253, table: TABLE },
    { destination: "0.0.0.0/0", gateway: "10.128.0.1", table: TABLE },
  ];
  expect(given.routes).toEqual([
    ...gateway4,
    { destination: "fe80::1/128", scope: 253, table: TABLE },
    { destination: "::/0", gateway: "fe80::1", table: TABLE },
  ]);
  const from = (source: string) => ({ source, table: TABLE, priority: 32_000 });
  expect(given.rules).toEqual([from(four), from(six)]);
  expect(await of({})).toEqual(given);
  // Addresses of the claim's own are routed as well; who routes himself gets addresses alone.
  expect(await of({ addresses: ["10.24.3.5/24"] })).toEqual({ routes: gateway4, rules: [from("10.24.3.5/32")] });
  expect(await of({ vrf: { name: "red" } })).toEqual({ interface: { addresses: [six, four] } });
  expect(await of({ addresses: ["10.24.3.5/24"] }, { rules: [{ table: 7 }] })).toEqual({});
});

test("Providers leaves other links on GCE alone, and refuses an IPVLAN that would have no address", async () => {
  using service = new MetadataService("gce");
  const { providers } = await gce(service, { mac: NIC.mac, network: NIC.network, gateway: NIC.gateway });
  const of = (config: object, one = GCE_DEVICE) => providers.childConfig(KEY, viewOf(one), config);
  for (const link of [{}, { type: "MACVLAN" }, { type: "IPVLAN", addressing: "SLAAC" }])
    expect(await of({ interface: link })).toEqual({});
  const ipvlan = { interface: { type: "IPVLAN" } };
  expect(await of({ ...ipvlan, profile: "pool-a" })).toEqual({});
  expect(await of(ipvlan, AZURE_DEVICE)).toEqual({}); // no interface of the machine's
  await expect(of(ipvlan)).rejects.toThrow(
    "GCE has no range of addresses for links on device eth1: give its interface an alias range, or the claim interface.addresses or addressing Unnumbered",
  );
});

test("Providers refuses an IPVLAN on GCE while nothing is known of its addresses", async () => {
  using service = new MetadataService("gce");
  service.refuses = 500;
  const host = new Host({ cloudProviderHint: "GCE", cloudProviderOptions: { gce: { endpoint: service.url } } });
  await eventually("a failure", () => host.clock.sleeping.length > 0);
  await expect(host.providers.childConfig(KEY, viewOf(GCE_DEVICE), { interface: { type: "IPVLAN" } })).rejects.toThrow(
    "device eth1 needs to know of GCE which addresses links on it have",
  );
});

test("Providers reads the Node's labels for CKS", async () => {
  const labels = { "cks.coreweave.com/cluster": "c", "backend.coreweave.cloud/fabric": "f" };
  const host = new Host({}, { nodeLabels: async () => labels });
  await eventually("it has been told", () => host.changes === 1);
  expect(host.attributesOf(GCE_DEVICE)).toEqual(["coreweave.dra.net/fabric"]);
});

test("Providers asks the webhook once for each device, and forgets a device that is gone", async () => {
  using ipam = new IpamWebhook();
  ipam.attributes.set("eth1", { "example.com/rail": { int: 1 } });
  ipam.failures["/health"]?.push(503);
  ipam.failures["/GetDeviceAttributes"]?.push(500);
  const host = new Host({ cloudProviderHint: "webhook", webhookUrl: ipam.url });
  await eventually("a first scan", () => host.changes === 1);
  const scan = () => host.providers.enrich([device("02:00:00:00:00:01"), device("02:00:00:00:00:02", "eth2")], FACTS);
  for (const wanted of [1, 2]) {
    scan();
    await eventually(`pause ${wanted}`, () => host.clock.sleeping.length > 0);
    host.clock.advance(10_000);
  }
  await eventually(
    "both are known",
    () => scan()[0]?.attributes["example.com/rail"] !== undefined && ipam.count("/GetDeviceAttributes") === 3,
  );
  for (let n = 0; n < 10; n++) scan();
  host.providers.enrich([], FACTS);
  expect(ipam.count("/GetDeviceAttributes")).toBe(3);
  scan();
  await eventually("they are asked about again", () => ipam.count("/GetDeviceAttributes") === 5);
  expect(host.lines).toEqual([
    "attributes of devices are not known yet; the webhook is asked again",
    "the webhook answers again",
  ]);
});

test("Providers asks the webhook for a device's configuration at each Prepare", async () => {
  using ipam = new IpamWebhook();
  const host = new Host({ cloudProviderHint: "webhook", webhookUrl: ipam.url });
  const config = () => host.providers.deviceConfig(viewOf(GCE_DEVICE), LOOKUP);
  await eventually("it runs", () => host.changes > 0);
  expect(await config()).toEqual({});
  ipam.deviceConfig = { interface: { mtu: 4000 } };
  expect(await config()).toEqual({ interface: { mtu: 4000 } });
  ipam.failures["/GetDeviceConfig"]?.push(500);
  await expect(config()).rejects.toThrow("device eth1: POST /GetDeviceConfig");
});

test("Providers takes a webhook at its word that it is no cloud provider, and no profile provider", async () => {
  using ipam = new IpamWebhook();
  ipam.capabilities = { cloudProvider: false, profileProvider: false };
  const host = new Host({ cloudProviderHint: "webhook", webhookUrl: ipam.url });
  await eventually("it is told", () => host.lines.length > 0);
  expect(host.lines[0]).toContain("no cloud provider");
  expect(await host.providers.deviceConfig(viewOf(GCE_DEVICE), LOOKUP)).toBeUndefined();
  expect(host.attributesOf(GCE_DEVICE)).toEqual([]);
  await expect(host.providers.profiles.get(KEY, HELD, {}, signal)).rejects.toThrow(
    `the webhook at ${ipam.url} says in its /health that it is no profile provider`,
  );
  expect(ipam.count("/GetProfileConfig")).toBe(0);
});

test.each([
  ["webhook", "NONE"],
  ["cloud", "webhook"],
  ["cloud", ""],
] as const)(
  "Providers has the webhook resolve profiles with --profile-provider %s and hint %p",
  async (profileProvider, hint) => {
    using ipam = new IpamWebhook();
    const host = new Host({ cloudProviderHint: hint, profileProvider, webhookUrl: ipam.url });
    await eventually("it runs", () => hint === "NONE" || host.changes > 0);
    expect(await host.providers.profiles.get(KEY, HELD, {}, signal)).toEqual({
      interface: { addresses: ["10.66.0.10/24"] },
    });
  },
);

test.each([
  ["none", "webhook"],
  ["cloud", "NONE"],
  ["cloud", "GCE"],
] as const)(
  "Providers refuses profiles with --profile-provider %s and hint %s",
  async (profileProvider, cloudProviderHint) => {
    using ipam = new IpamWebhook();
    const host = new Host({ cloudProviderHint, profileProvider, webhookUrl: ipam.url });
    const refused = host.providers.profiles.get(KEY, HELD, {}, signal);
    await expect(refused).rejects.toBeInstanceOf(ClaimError);
    await expect(refused).rejects.toThrow("nobody here knows profiles: run netferry with --profile-provider=webhook");
    expect(host.store.profiles.ofClaim("c1")).toEqual([]);
  },
);
