/**
 * Runs in an emulated machine, in either mode and on either kernel: RDMA devices go into a pod's namespace and come home,
 * and claims that cannot be met are refused, without a runtime in between.
 */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ferry } from "../../../src/attach/ferry.ts";
import { prepareClaim } from "../../../src/attach/prepare.ts";
import { ClaimStore } from "../../../src/claims/store.ts";
import type { NetworkConfig } from "../../../src/config/network-config.ts";
import type { DeviceIdentity } from "../../../src/inventory/device.ts";
import type { Kernel } from "../../../src/kernel/calls.ts";
import { kernelCalls } from "../../../src/kernel/serve.ts";
import { ferryOver } from "../../lab/bare-ferry.ts";
import { HostLinks, hasLink, ip, uniqueName } from "../../lab/links.ts";
import { TestNetns } from "../../lab/netns.ts";
import { addRdmaLink, rdma, rdmaLinks } from "../../lab/rdma.ts";
import { refusal } from "../../lab/refusal.ts";

const isExclusive = rdma("system").startsWith("netns exclusive");
/** Linux 6.12 moves no RDMA device in software. */
const canMove = !Bun.spawnSync(["uname", "-r"]).stdout.toString().startsWith("6.");
const isRefused = isExclusive && !canMove;

const calls = kernelCalls();
/** A call to fail instead, as if the agent died there: what it had done stays done. */
let dying: keyof Kernel | undefined;
const kernel = new Proxy({} as Kernel, {
  get: (_, name: keyof Kernel) => async (request: never) => {
    if (name === dying) throw new Error(`killed at ${name}`);
    return calls[name](request);
  },
});

/** No claim here asks for an address by DHCP. */
const NO_LEASES = { take: () => Promise.reject(new Error("a lease is taken")), release: async () => undefined };

let links: HostLinks;
let store: ClaimStore;
let directory: string;
let pod: TestNetns;
let ferry: Ferry;
beforeEach(() => {
  links = new HostLinks();
  store = ClaimStore.open(":memory:", "boot");
  directory = mkdtempSync(join(tmpdir(), "netferry-rdma-"));
  pod = new TestNetns();
  ferry = newFerry();
  dying = undefined;
});
afterEach(() => {
  links[Symbol.dispose]();
  pod[Symbol.dispose]();
  store[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

const newFerry = () => ferryOver({ kernel, store, directory }).ferry;

const sandbox = () => ({ id: "s1", podUid: "pod", podName: "p", podNamespace: "ns", netnsPath: pod.path });

function prepare(identity: DeviceIdentity, config: NetworkConfig = {}, hostNetwork = false) {
  const device = { name: "dev", identity, attributes: {} };
  const allocated = { request: "nic", pool: "node", device: "dev", config };
  const claim = { uid: "claim", namespace: "ns", name: "c", devices: [allocated] };
  const consumer = { uid: "pod", name: "p", namespace: "ns", hostNetwork };
  return prepareClaim(
    { ferry, store, kernel, sysfsRoot: "/sys", leases: NO_LEASES, findDevice: async () => device },
    claim,
    consumer,
    AbortSignal.timeout(60_000),
  );
}

const aLink = (ifname: string, rdmaName: string): DeviceIdentity => ({ ifname, kind: "macvlan", rdmaName });
const NODES = ["rdma_cm", "uverbs"];
const nodes = () =>
  (store.ofClaim("claim")[0]?.plan.deviceNodes ?? [])
    .map(({ path }) => path.replace(/^.*\/([a-z_]+)\d*$/, "$1"))
    .sort();

if (isRefused)
  test("a device that the kernel would not move is refused, with a link and without, and neither is touched", async () => {
    const { ifname, name } = addRdmaLink(links);
    const before = rdma("-j", "-d", "dev");
    for (const identity of [aLink(ifname, name), { rdmaName: name }])
      expect(await refusal(prepare(identity))).toContain(
        `RDMA device ${name} of device dev cannot be given to a pod: RDMA devices belong to one network namespace`,
      );
    expect(rdma("-j", "-d", "dev")).toEqual(before);
    expect(hasLink(ifname)).toBe(true);
  });
else {
  const hasSiw = Bun.spawnSync(["modinfo", "siw"]).success;
  // No kernel moves Soft-iWARP.
  const KINDS = ["rxe", ...(hasSiw && !isExclusive ? (["siw"] as const) : [])] as const;
  test.each(KINDS)("a link takes its RDMA device (%s) into the pod and home again", async (kind) => {
    const { ifname, name } = addRdmaLink(links, kind);
    await prepare(aLink(ifname, name), { interface: { name: "net1" } });
    expect((await ferry.attachSandbox(sandbox(), false)).failed).toEqual([]);
    expect(rdmaLinks(pod.path)).toEqual([`${name}/1 net1`]);
    expect(rdmaLinks()).toEqual(isExclusive ? [] : [`${name}/1 -`]);
    expect(nodes()).toEqual(NODES);
    await ferry.detachSandbox("s1");
    expect(rdmaLinks()).toEqual([`${name}/1 ${ifname}`]);
  });

  test("a link's RDMA device is not taken for that of the link below, whose address and so GUID it has", async () => {
    const below = uniqueName("d");
    const ifname = uniqueName("i");
    links.run(["link", "add", below, "type", "dummy"], ["link", "del", below]);
    links.run(["link", "add", "link", below, "name", ifname, "type", "ipvlan"]);
    for (const [name, on] of [
      ["below0", below],
      ["above0", ifname],
    ] as const) {
      ip("link", "set", on, "up");
      rdma("link", "add", name, "type", "rxe", "netdev", on);
    }
    const atHome = rdmaLinks().toSorted();
    expect(atHome).toEqual([`above0/1 ${ifname}`, `below0/1 ${below}`]);
    await prepare({ ifname, kind: "ipvlan", rdmaName: "above0" }, { interface: { name: "net1" } });
    expect((await ferry.attachSandbox(sandbox(), false)).failed).toEqual([]);
    expect(rdmaLinks(pod.path)).toContain("above0/1 net1");
    await ferry.detachSandbox("s1");
    expect(rdmaLinks().toSorted()).toEqual(atHome);
  });

  const STEPS = ["deleteRdmaLink", "moveLink", "applySteps", "addRdmaLink", "rdmaNodes"] as const;
  test.each([...STEPS, ...(isExclusive ? (["moveRdma"] as const) : [])])(
    "an attach that ends at %s, and a return that ends there too, lose nothing",
    async (step) => {
      const { ifname, name } = addRdmaLink(links);
      await prepare(aLink(ifname, name), { interface: { name: "net1" } });
      dying = step;
      expect((await ferry.attachSandbox(sandbox(), false)).failed).toHaveLength(1);
      await ferry.detachSandbox("s1").catch(() => undefined);
      dying = undefined;
      ferry = newFerry();
      await ferry.detachSandbox("s1");
      await ferry.makeOwedRdma();
      expect(rdmaLinks()).toEqual([`${name}/1 ${ifname}`]);
      expect((await ferry.attachSandbox(sandbox(), false)).failed).toEqual([]);
      expect(rdmaLinks(pod.path)).toEqual([`${name}/1 net1`]);
      dying = step;
      await ferry.detachSandbox("s1").catch(() => undefined);
      dying = undefined;
      ferry = newFerry();
      await ferry.detachSandbox("s1");
      await ferry.makeOwedRdma();
      expect(rdmaLinks()).toEqual([`${name}/1 ${ifname}`]);
    },
  );

  test("a device without a link goes alone, and comes home under its name", async () => {
    const { ifname, name } = addRdmaLink(links);
    await prepare({ rdmaName: name });
    expect((await ferry.attachSandbox(sandbox(), false)).failed).toEqual([]);
    expect(rdmaLinks(pod.path)).toEqual([`${name}/1 -`]);
    expect(rdmaLinks()).toEqual(isExclusive ? [] : [`${name}/1 ${ifname}`]);
    expect(nodes()).toEqual(NODES);
    if (isExclusive) Bun.spawnSync(["nsenter", `--net=${pod.path}`, "rdma", "dev", "set", name, "name", "other0"]);
    ferry = newFerry();
    await ferry.detachSandbox("s1");
    expect(rdmaLinks()).toEqual([`${name}/1 ${ifname}`]);
  });

  test("a device without a link may go to a pod with the host's network in shared mode alone", async () => {
    const { name } = addRdmaLink(links);
    const asked = prepare({ rdmaName: name }, {}, true);
    if (isExclusive) {
      expect(await refusal(asked)).toContain(
        "uses the host's network, where only character devices can be given to it",
      );
      return;
    }
    await asked;
    const { netnsPath: _, ...inHost } = sandbox();
    expect((await ferry.attachSandbox(inHost, false)).failed).toEqual([]);
    expect(nodes()).toEqual(NODES);
  });

  test("umad goes along where it is asked for, and what there is none of is refused", async () => {
    const { name } = addRdmaLink(links);
    await prepare({ rdmaName: name }, { umad: true });
    expect(nodes()).toEqual(["rdma_cm", "uverbs", "umad"].sort());
    expect(await refusal(prepare({ rdmaName: name }, { issm: true }))).toContain("has no character device issm");
    expect(await refusal(prepare({ rdmaName: "mlx5_9" }))).toContain(
      isExclusive ? "is not in the host's namespace" : "is not there any more",
    );
    const exclusive = prepare({ rdmaName: name }, { rdmaExclusive: true });
    if (isExclusive) await exclusive;
    else expect(await refusal(exclusive)).toContain("is claimed with rdmaExclusive");
  });
}
