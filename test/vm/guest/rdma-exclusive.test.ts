/**
 * Runs in an emulated machine whose RDMA devices belong to one namespace each: Soft-RoCE goes into pods, with its link and
 * alone, works there, and comes home, also after a crash.
 */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { eventually } from "../../fakes/eventually.ts";
import { startGuestNode } from "../../lab/guest-node.ts";
import { hasLink } from "../../lab/links.ts";
import type { TestNode } from "../../lab/node.ts";
import { addRdmaLink, FUNCTION_DEVICE, functionTree, rdmaLinks } from "../../lab/rdma.ts";
import { RdmaLife } from "../../lab/rdma-life.ts";
import { refusal } from "../../lab/refusal.ts";

let node: TestNode;
let life: RdmaLife;

beforeAll(async () => {
  node = await startGuestNode();
});
afterAll(() => node[Symbol.asyncDispose]());
beforeEach(() => {
  life = new RdmaLife(node);
});
afterEach(() => life[Symbol.asyncDispose]());

describe("a link with its RDMA device", () => {
  test("is in the pod alone, carries traffic there, and its character devices are in the container that names it", async () => {
    const { ifname, name } = addRdmaLink(life.links);
    const claim = life.claim(ifname, { namedBy: ["main"] });
    await node.agent();
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    const main = await life.launch(pod, "main", claim);
    const neighbour = await node.pods.launch(pod, { name: "neighbour" });
    expect(rdmaLinks()).toEqual([]);
    expect(await life.rdmaInPod(pod)).toEqual([`${name}/1 net1`]);
    expect(await life.pingpong(pod, name)).toBe("");
    expect(await life.charDevices(main)).toBe("rdma_cm uverbs");
    expect(await life.charDevices(neighbour)).toBe("");
    await eventually("the claim says so", () =>
      life.conditions(claim).includes("NetworkReady=NetworkReady RDMALinkReady=RDMALinkReady Ready=NetworkDeviceReady"),
    );
    await life.endPod(pod, claim);
    await life.expectAtHome(ifname, name);
  });

  // Around the steps of RDMA; the others are those of any link, in test/runtime/.
  const ATTACH = ["rdmaReleased", "moved", "rdmaMade", "rdmaMoved"];
  test.each(ATTACH)("after a crash at attach.%s it is in the pod, and comes home", async (point) => {
    const { ifname, name } = addRdmaLink(life.links);
    const claim = life.claim(ifname);
    const first = await node.agent({ faults: `kill:attach.${point}` });
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    await first.died();
    await node.agent();
    const inPod = [`${name}/1 net1`];
    await eventually("it is there", async () => Bun.deepEquals(await life.rdmaInPod(pod), inPod));
    expect(await life.charDevices(await life.launch(pod, "main", claim))).toBe("rdma_cm uverbs");
    await life.endPod(pod, claim);
    await life.expectAtHome(ifname, name);
  });

  const DETACH = ["cleared", "moved", "restored"];
  test.each(DETACH)("after a crash at detach.%s it comes home", async (point) => {
    const { ifname, name } = addRdmaLink(life.links);
    const claim = life.claim(ifname);
    const first = await node.agent({ faults: `kill:detach.${point}` });
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    await node.pods.stop(pod);
    await first.died();
    await node.agent();
    await life.expectAtHome(ifname, name);
    await life.endPod(pod, claim);
  });

  test("whose pod died while the agent was away is made anew with it", async () => {
    const { ifname, name } = addRdmaLink(life.links);
    const claim = life.claim(ifname);
    const first = await node.agent();
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    await first.kill();
    await node.pods.stop(pod);
    expect(hasLink(ifname)).toBe(false);
    await node.agent();
    await life.expectAtHome(ifname, name);
    await life.endPod(pod, claim);
  });
});

describe("an RDMA device without a link", () => {
  let ifname: string;
  let name: string;
  let tree: ReturnType<typeof functionTree>;
  const agent = (faults?: string) =>
    node.agent({ args: ["--sysfs-root", tree.root], ...(faults === undefined ? {} : { faults }) });

  beforeEach(() => {
    ({ ifname, name } = addRdmaLink(life.links));
    tree = functionTree(name);
  });
  afterEach(() => tree[Symbol.dispose]());

  test("moves alone, and its claim may not speak of a link or of the host's network", async () => {
    await agent();
    const wrong = life.claim(FUNCTION_DEVICE);
    expect(await refusal(node.kubelet.prepare(wrong))).toContain("cannot hold interface.name, interface.addresses:");
    const inHost = life.claim(FUNCTION_DEVICE, { config: {}, hostNetwork: true });
    expect(await refusal(node.kubelet.prepare(inHost))).toContain(
      "uses the host's network, where only character devices",
    );
    const claim = life.claim(FUNCTION_DEVICE, { config: { rdmaExclusive: true } });
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    const main = await life.launch(pod, "main", claim);
    expect(hasLink(ifname)).toBe(true);
    expect(rdmaLinks()).toEqual([]);
    expect(await life.rdmaInPod(pod)).toEqual([`${name}/1 -`]);
    expect(await life.charDevices(main)).toBe("rdma_cm uverbs");
    await eventually("the claim says so", () =>
      life.conditions(claim).includes("RDMALinkReady=RDMALinkReady Ready=RDMAOnlyDeviceReady"),
    );
    await life.endPod(pod, claim);
    await life.expectAtHome(ifname, name);
  });

  test.each(["attach.committed", "attach.rdmaMoved"])("after a crash at %s it is in the pod", async (point) => {
    const claim = life.claim(FUNCTION_DEVICE, { config: {} });
    const first = await agent(`kill:${point}`);
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    await first.died();
    await agent();
    await life.launch(pod, "main", claim);
    expect(await life.rdmaInPod(pod)).toEqual([`${name}/1 -`]);
    await life.endPod(pod, claim);
    await life.expectAtHome(ifname, name);
  });

  test.each(["detach.rdmaMoved", "detach.restored"])("after a crash at %s it comes home", async (point) => {
    const claim = life.claim(FUNCTION_DEVICE, { config: {} });
    const first = await agent(`kill:${point}`);
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    await node.pods.stop(pod);
    await first.died();
    await agent();
    await life.expectAtHome(ifname, name);
    await life.endPod(pod, claim);
  });

  test("that the kernel brought home by itself, and someone renamed, has its name again", async () => {
    const claim = life.claim(FUNCTION_DEVICE, { config: {} });
    const first = await agent();
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    await first.kill();
    await node.pods.stop(pod);
    await eventually("the kernel gave it back", () => rdmaLinks().length === 1);
    Bun.spawnSync(["rdma", "dev", "set", name, "name", "other0"]);
    expect(rdmaLinks()).toEqual([`other0/1 ${ifname}`]);
    await agent();
    await life.expectAtHome(ifname, name);
    await life.endPod(pod, claim);
  });

  test("that another namespace holds is refused with a sentence", async () => {
    await agent();
    life.links.run(["netns", "add", "other"], ["netns", "del", "other"]);
    expect(Bun.spawnSync(["rdma", "dev", "set", name, "netns", "other"]).success).toBe(true);
    const refused = await refusal(node.kubelet.prepare(life.claim(FUNCTION_DEVICE, { config: {} })));
    expect(refused).toContain(`RDMA device ${name} of device ${FUNCTION_DEVICE} is not in the host's namespace`);
  });
});
