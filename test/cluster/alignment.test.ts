/** Network devices and accelerators of one PCIe root, or one NUMA node, chosen by the real scheduler. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../lab/cluster/netferry.ts";
import { StandInDriver } from "../lab/cluster/stand-in-driver.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, claimTemplate, pod } from "../lab/cluster/workload.ts";
import { uniqueName } from "../lab/links.ts";
import { isHome, NetferryLab, OWN_LINKS } from "./netferry-lab.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;
const GPU = "gpu.example.com";
const ROOT = "resource.kubernetes.io/pcieRoot";
const NUMA = "resource.kubernetes.io/numaNode";
/** On the node; the agent reads it instead of its own /sys. */
const SYSFS = "/var/lib/netferry/sysfs";

/** Where the cards sit: their root and their NUMA node. */
const NICS = [
  { address: "0000:3b:00.0", root: "pci0000:3a", numa: 0 },
  { address: "0000:5e:00.0", root: "pci0000:5d", numa: 0 },
  { address: "0000:af:00.0", root: "pci0000:ae", numa: 1 },
  { address: "0000:d8:00.0", root: "pci0000:d7", numa: 1 },
] as const;
/** The last one shares its NUMA node with a card, and its root with none. */
const GPUS = [
  { name: "gpu-0", root: "pci0000:d7", numa: 1 },
  { name: "gpu-1", root: "pci0000:ae", numa: 1 },
  { name: "gpu-2", root: "pci0000:3a", numa: 0 },
  { name: "gpu-3", root: "pci0000:c0", numa: 0 },
];

/** Functions without a link: the machine's own links are of software kinds, which stand on no bus. */
const CARDS = '!("dra.net/ifName" in attributes)';

let lab: NetferryLab;
let gpus: StandInDriver;

beforeAll(async () => {
  lab = await NetferryLab.start({ install: false });
  for (const card of NICS) plug(card);
  await lab.install({ edit: readsSysfs, args: [`--filter=(${OWN_LINKS}) || ${CARDS}`] });
  gpus = await StandInDriver.start(
    lab.workload,
    GPU,
    GPUS.map(({ name, root, numa }) => ({ name, attributes: { [ROOT]: { string: root }, [NUMA]: { int: numa } } })),
  );
}, START_LIMIT_MS);
afterAll(async () => {
  await gpus[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
}, LIMIT_MS);

test(
  "a pod whose claim has devices of both drivers runs once both have prepared it",
  async () => {
    const link = await lab.macvlan();
    const name = uniqueName("both");
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname), gpu: "" }, classes: { gpu: GPU }, ...NIC_CONFIG }),
      pod(name, { claims: { pair: name } }),
    );
    await lab.workload.podReady(name);
    expect(await lab.workload.exec(name, ["ip", "link", "show", "net1"])).toContain("mtu 1450");
    expect(gpus.prepared.size).toBe(1);
    await lab.workload.deletePods(name);
    await isHome(link);
    expect(gpus.prepared.size).toBe(0);
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "our slices carry the root and the NUMA node of each card",
  async () => {
    const devices = (await lab.workload.devices()).filter(({ name }) => name.startsWith("pci-"));
    const where = devices.map(({ attributes }) => ({ root: attributes[ROOT], numa: attributes[NUMA] }));
    expect(where).toEqual(NICS.map(({ root, numa }) => ({ root: { string: root }, numa: { int: numa } })));
  },
  LIMIT_MS,
);

test(
  "matchAttribute over pcieRoot gives only aligned pairs: one for each pair there is, and nothing to who comes late",
  async () => {
    await lab.workload.create(claimTemplate("by-root", pairs(ROOT)));
    const names = GPUS.map(() => uniqueName("pair"));
    await lab.workload.create(...names.map((name) => pod(name, { claims: { pair: { template: "by-root" } } })));
    const states = () => Promise.all(names.map(allocation));
    const decided = async () => (await states()).every((state) => state !== "undecided");
    await until("the scheduler has decided all", decided, 60_000);
    const taken = await states();
    expect(taken.toSorted()).toEqual([
      "gpu-0 pci0000:d7 with a card on pci0000:d7",
      "gpu-1 pci0000:ae with a card on pci0000:ae",
      "gpu-2 pci0000:3a with a card on pci0000:3a",
      "none",
    ]);
    await lab.workload.deletePods(...names.filter((_, i) => taken[i] === "none"));
  },
  LIMIT_MS,
);

test(
  "matchAttribute over numaNode brings the last GPU and the last card together, which share no root",
  async () => {
    await lab.workload.create(claimTemplate("by-numa", pairs(NUMA)));
    const name = uniqueName("numa");
    await lab.workload.create(pod(name, { claims: { pair: { template: "by-numa" } } }));
    await until("the scheduler has decided", async () => (await allocation(name)) !== "undecided", 60_000);
    expect(await allocation(name)).toBe("gpu-3 pci0000:c0 with a card on pci0000:5d");
  },
  LIMIT_MS,
);

const NIC_CONFIG = { config: { interface: { name: "net1" } }, configFor: ["nic"] };

function pairs(attribute: string): Parameters<typeof claimTemplate>[1] {
  return {
    requests: { nic: "", gpu: "" },
    classes: { gpu: GPU },
    constraints: [{ requests: ["nic", "gpu"], matchAttribute: attribute }],
  };
}

/** What the pod's claim was given: `GPU ROOT with a card on ROOT`, `none`, or `undecided`. */
async function allocation(name: string): Promise<string> {
  const { status } = await lab.workload.pod(name);
  const scheduled = status.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled === undefined) return "undecided";
  if (scheduled.status === "False") return "none";
  const claim = await lab.workload.claim(status.resourceClaimStatuses?.[0]?.resourceClaimName ?? "");
  const results = claim.status?.allocation?.devices.results ?? [];
  const deviceOf = (request: string) => results.find((result) => result.request === request)?.device ?? "";
  const [nic, gpu] = [deviceOf("nic"), deviceOf("gpu")];
  return `${gpu} ${await rootOf(GPU, gpu)} with a card on ${await rootOf("dra.net", nic)}`;
}

async function rootOf(driver: string, device: string): Promise<string> {
  const found = (await lab.workload.devices(driver)).find(({ name }) => name === device);
  const root = found?.attributes[ROOT] as { readonly string: string } | undefined;
  return root?.string ?? "";
}

/** The card as sysfs shows one. */
function plug({ address, root, numa }: (typeof NICS)[number]): void {
  const sysfs = lab.cluster.hostPath(SYSFS);
  const card = `devices/${root}/${root.slice(3)}:00.0/${address}`;
  mkdirSync(join(sysfs, card), { recursive: true });
  mkdirSync(join(sysfs, "bus/pci/devices"), { recursive: true });
  const files = { class: "0x020000", vendor: "0x15b3", device: "0x101d", numa_node: String(numa) };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(sysfs, card, name), `${text}\n`);
  symlinkSync("../../../../bus/pci/drivers/mlx5_core", join(sysfs, card, "driver"));
  symlinkSync(`../../../${card}`, join(sysfs, "bus/pci/devices", address));
}

function readsSysfs(object: Manifest): void {
  if (object.kind !== "DaemonSet") return;
  const { volumes } = object["spec"].template.spec;
  const volume = volumes.find(({ name }: { name: string }) => name === "sys");
  volume.hostPath = { path: SYSFS, type: "Directory" };
}
