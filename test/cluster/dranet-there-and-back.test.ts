/** DRANET itself and netferry, one after the other in one DaemonSet: only the image changes, and every object stays. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { MetadataService } from "../fakes/metadata-service.ts";
import { DRANET_IMAGE, importDranet, noCloud } from "../lab/cluster/dranet-image.ts";
import type { Manifest } from "../lab/cluster/netferry.ts";
import { NETFERRY_IMAGE } from "../lab/cluster/netferry-image.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claimTemplate, type PublishedDevice, pod, type SliceObject } from "../lab/cluster/workload.ts";
import { hostState } from "../lab/host-state.ts";
import { hasLink, ip } from "../lab/links.ts";
import { asDranet, mended } from "./both-drivers.ts";
import { isHome, NetferryLab, settled, type TestLink } from "./netferry-lab.ts";

// With empty caches it begins with two builds.
const START_LIMIT_MS = 30 * 60_000;
const LIMIT_MS = 400_000;
const SWITCH_LIMIT_MS = 120_000;
const DAEMON_SET = "/apis/apps/v1/namespaces/kube-system/daemonsets/dranet";
/** netferry looks for more clouds than DRANET can be told to leave alone; DRANET knows no such flag. */
const NO_CLOUD_FLAG = "--cloud-provider-hint=NONE";
/** In DRANET of this version an address of the host and one of the claim exclude each other. */
const CONFIGURED = {
  interface: { name: "net1", addresses: ["10.99.0.9/24", "fd99::9/64"], mtu: 1400 },
  routes: [{ destination: "10.98.0.0/16", gateway: "10.99.0.1" }],
};
const COPIED = { interface: { name: "net2" } };

let lab: NetferryLab;
let cloud: MetadataService;
/** One has no address on the host, the other one brings its own. */
let bare: TestLink;
let addressed: TestLink;

beforeAll(async () => {
  cloud = noCloud();
  lab = await NetferryLab.start({ install: false });
  await importDranet(lab.cluster, console.error);
  await lab.workload.create({
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { name: "dra.net" },
    spec: { selectors: [{ cel: { expression: 'device.driver == "dra.net"' } }] },
  });
  bare = await withoutAddress(await lab.macvlan({ waits: false }));
  addressed = await withBroadcast(await lab.macvlan({ waits: false }));
  await lab.workload.create(
    claimTemplate("configured", { requests: { nic: byName(bare.ifname) }, config: CONFIGURED }),
    claimTemplate("copied", { requests: { nic: byName(addressed.ifname) }, config: COPIED }),
  );
  await lab.install({ manifest: join(import.meta.dir, "dranet.yaml"), until: "healthz", edit: dranetFirst });
}, START_LIMIT_MS);
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  cloud[Symbol.dispose]();
}, LIMIT_MS);

let published: readonly PublishedDevice[];
let seen: string;

test(
  "DRANET takes links into a pod, and gives them back without their addresses, or with the pod's MTU",
  async () => {
    published = await devicesOf("dranet");
    seen = await startPod("first");
    await lab.workload.deletePods("first");
    await linksAre("back");
    expect(ip("addr", "show", "dev", addressed.ifname)).not.toContain(addressed.home);
    expect(ip("link", "show", "dev", bare.ifname)).toContain("mtu 1400");
    addressed = await mended(addressed);
    bare = await withoutAddress(await mended(bare));
  },
  LIMIT_MS,
);

test(
  "netferry publishes the same devices, the pod sees the same, and the links come home as they were",
  async () => {
    await changeImage(NETFERRY_IMAGE);
    const ours = await devicesOf("netferry");
    const comparable = published.map(({ name, attributes }) => ({ name, attributes: withoutCloud(attributes) }));
    expect(ours.map(({ name, attributes }) => ({ name, attributes: withoutCloud(attributes) }))).toEqual(comparable);

    expect(await startPod("second")).toBe(seen);
    await lab.workload.deletePods("second");
    await isHome(bare);
    await isHome(addressed);
  },
  LIMIT_MS,
);

test(
  "back: DRANET publishes and attaches as before, and netferry's store stays where it is",
  async () => {
    await changeImage(DRANET_IMAGE);
    expect(await devicesOf("dranet")).toEqual(published);
    expect(await startPod("third")).toBe(seen);
    expect(existsSync(lab.cluster.hostPath("/var/run/dranet/netferry.db"))).toBe(true);
    expect(readdirSync(lab.cluster.hostPath("/var/lib/kubelet/plugins/dra.net"))).toEqual(["dra.sock"]);
    expect(await lab.workload.slices()).toHaveLength(1);
  },
  LIMIT_MS,
);

test(
  "a pod that DRANET gave links keeps them under netferry's image, and ends without hindrance",
  async () => {
    await changeImage(NETFERRY_IMAGE);
    expect(await look("third")).toBe(seen);
    expect((await lab.workload.pod("third")).status.containerStatuses?.[0]?.restartCount).toBe(0);
    await lab.workload.deletePods("third");
    // Nobody knows where they belonged: the kernel destroys a virtual link with its namespace.
    await linksAre("gone");
    bare = await withoutAddress(await lab.bootLink(bare));
    addressed = await withBroadcast(await lab.bootLink(addressed));
    await startPod("fourth");
  },
  LIMIT_MS,
);

test(
  "a pod that netferry gave links keeps them under DRANET's image, and ends without hindrance",
  async () => {
    const before = await look("fourth");
    await changeImage(DRANET_IMAGE);
    expect(await look("fourth")).toBe(before);
    await lab.workload.deletePods("fourth");
  },
  LIMIT_MS,
);

/** DRANET's own image first, with the arguments that it knows. */
function dranetFirst(object: Manifest): void {
  asDranet(object);
  if (object.kind !== "DaemonSet") return;
  const [container] = object["spec"].template.spec.containers;
  container.args = container.args.filter((arg: string) => arg !== NO_CLOUD_FLAG);
  container.env.push({ name: "GCE_METADATA_HOST", value: cloud.host });
}

async function changeImage(image: string): Promise<void> {
  const { spec } = await lab.cluster.api.json<Manifest>(DAEMON_SET);
  const args = spec.template.spec.containers[0].args.filter((arg: string) => arg !== NO_CLOUD_FLAG);
  if (image === NETFERRY_IMAGE) args.push(NO_CLOUD_FLAG);
  const body = { spec: { template: { spec: { containers: [{ name: "dranet", image, args }] } } } };
  const contentType = "application/strategic-merge-patch+json";
  await lab.cluster.api.json(DAEMON_SET, { method: "PATCH", contentType, body });
  const rollout = ["-n", "kube-system", "rollout", "status", "daemonset/dranet", `--timeout=${SWITCH_LIMIT_MS}ms`];
  await lab.cluster.kubectl(rollout, { limitMs: SWITCH_LIMIT_MS + 10_000 });
  await lab.netferry.ready();
}

/** Those of the two links, once all slices of the driver are of that writer, and as many as they say. */
async function devicesOf(writer: "dranet" | "netferry"): Promise<readonly PublishedDevice[]> {
  let found: readonly PublishedDevice[] = [];
  const areThere = async () => {
    const slices = (await lab.workload.slices()) as readonly WrittenSlice[];
    found = slices
      .flatMap(({ spec }) => spec.devices ?? [])
      .filter(({ name }) => [bare.ifname, addressed.ifname].includes(name))
      .toSorted((a, b) => a.name.localeCompare(b.name));
    const isWhole = slices.every(({ spec }) => spec.pool.resourceSliceCount === slices.length);
    return found.length === 2 && isWhole && slices.every((slice) => writerOf(slice) === writer);
  };
  await until(`both links are in slices of ${writer}`, areThere, SWITCH_LIMIT_MS);
  return found;
}

type WrittenSlice = SliceObject & {
  readonly metadata: { readonly managedFields: readonly { readonly manager: string; readonly time: string }[] };
};

function writerOf({ metadata }: WrittenSlice): string | undefined {
  return metadata.managedFields.toSorted((a, b) => a.time.localeCompare(b.time)).at(-1)?.manager;
}

/** Returns what it sees of its links. */
async function startPod(name: string): Promise<string> {
  const claims = { net1: { template: "configured" }, net2: { template: "copied" } };
  await lab.workload.create(pod(name, { claims }));
  await lab.workload.podReady(name);
  return await look(name);
}

async function look(name: string): Promise<string> {
  const ofLink = (link: string) => [
    `cat /sys/class/net/${link}/mtu /sys/class/net/${link}/address /sys/class/net/${link}/operstate`,
    // Whether the kernel still looks for a duplicate depends on the moment.
    `ip -o addr show dev ${link} | sed 's/^[0-9]*: //; s/ tentative//'`,
    `ip -4 route show | grep ${link}`,
    `ip -6 route show | grep ${link}`,
  ];
  const commands = [...ofLink("net1"), ...ofLink("net2"), "ip rule", "ip -6 rule"];
  return await lab.workload.exec(name, ["sh", "-c", commands.join("; ")]);
}

async function linksAre(what: "back" | "gone"): Promise<void> {
  const links = [bare.ifname, addressed.ifname];
  await until(
    `${links.join(" and ")} are ${what}`,
    () => links.every((name) => hasLink(name) === (what === "back")),
    SWITCH_LIMIT_MS,
  );
}

async function withoutAddress(link: TestLink): Promise<TestLink> {
  ip("addr", "del", link.home, "dev", link.ifname);
  return await asItIs(link);
}

/** DRANET gives a pod's IPv4 address the broadcast address that the host's one may lack. */
async function withBroadcast(link: TestLink): Promise<TestLink> {
  ip("addr", "change", link.home, "brd", "+", "dev", link.ifname);
  return await asItIs(link);
}

async function asItIs(link: TestLink): Promise<TestLink> {
  await settled(link.ifname);
  return { ...link, before: hostState(link.ifname) };
}

/** What it tells of a cloud, here of one that is none. */
function withoutCloud(attributes: PublishedDevice["attributes"]): object {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !name.startsWith("gce.dra.net/")));
}
