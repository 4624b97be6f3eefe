/**
 * Runs in an emulated machine whose namespaces all see all RDMA devices: pods get character devices, each container its
 * own, and Soft-RoCE, which dies with its link's move, is made again in the pod and at home.
 */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { eventually } from "../../fakes/eventually.ts";
import type { Agent } from "../../lab/agent.ts";
import { asPod, startGuestNode } from "../../lab/guest-node.ts";
import { hasLink, ip } from "../../lab/links.ts";
import { DRIVER, type TestNode } from "../../lab/node.ts";
import { addRdmaLink, FUNCTION_DEVICE, functionTree, rdma, rdmaLinks } from "../../lab/rdma.ts";
import { RdmaLife } from "../../lab/rdma-life.ts";
import { refusal } from "../../lab/refusal.ts";

let node: TestNode;
let life: RdmaLife;

beforeAll(async () => {
  node = await startGuestNode();
});
afterAll(() => node[Symbol.asyncDispose]());

describe("a link with its RDMA device", () => {
  beforeEach(() => {
    life = new RdmaLife(node);
  });
  afterEach(() => life[Symbol.asyncDispose]());

  test("is made again in the pod, works there, and at home; nobody has it exclusively", async () => {
    const { ifname, name } = addRdmaLink(life.links);
    await node.agent();
    const refused = await refusal(node.kubelet.prepare(life.claim(ifname, { config: { rdmaExclusive: true } })));
    expect(refused).toContain(`claimed with rdmaExclusive, but RDMA devices as ${name} are shared between`);
    const claim = life.claim(ifname);
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    expect(await life.charDevices(await life.launch(pod, "main", claim))).toBe("rdma_cm uverbs");
    expect(await life.rdmaInPod(pod)).toEqual([`${name}/1 net1`]);
    expect(await life.pingpong(pod, name)).toBe("");
    await eventually("the claim says so", () => life.conditions(claim).includes("Ready=NetworkDeviceReady"));
    expect(life.conditions(claim)).not.toContain("RDMALinkReady");
    await life.endPod(pod, claim);
    await life.expectAtHome(ifname, name);
  });

  test("that is down keeps its RDMA device too", async () => {
    const { ifname, name } = addRdmaLink(life.links);
    ip("link", "set", ifname, "down");
    const claim = life.claim(ifname);
    await node.agent();
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    expect(await life.rdmaInPod(pod)).toEqual([`${name}/1 net1`]);
    await life.endPod(pod, claim);
    await life.expectAtHome(ifname, name);
  });

  test.each(["attach.rdmaReleased", "attach.rdmaMade", "detach.moved"])(
    "after a crash at %s all is well",
    async (point) => {
      const { ifname, name } = addRdmaLink(life.links);
      const claim = life.claim(ifname);
      const first = await node.agent({ faults: `kill:${point}` });
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      if (point.startsWith("detach")) await node.pods.stop(pod);
      await first.died();
      await node.agent();
      if (point.startsWith("attach")) {
        await life.launch(pod, "main", claim);
        expect(await life.rdmaInPod(pod)).toEqual([`${name}/1 net1`]);
      }
      await life.endPod(pod, claim);
      await life.expectAtHome(ifname, name);
    },
  );

  test("that cannot be made again at home is made as soon as it can be", async () => {
    const { ifname, name } = addRdmaLink(life.links);
    const claim = life.claim(ifname);
    await node.agent();
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    const loader = readFileSync("/proc/sys/kernel/modprobe", "utf8");
    writeFileSync("/proc/sys/kernel/modprobe", "/nowhere"); // else the kernel loads the driver with the first device of it
    try {
      expect(Bun.spawnSync(["rmmod", "rdma_rxe"]).success).toBe(true);
      await life.endPod(pod, claim);
      expect(hasLink(ifname)).toBe(true);
      await eventually("an event says so", () =>
        JSON.stringify(node.api.store.list("/api/v1/namespaces/default/events")).includes(
          `RDMA device ${name} cannot be made on ${ifname} again yet, and is tried until it is`,
        ),
      );
    } finally {
      writeFileSync("/proc/sys/kernel/modprobe", loader);
    }
    await life.expectAtHome(ifname, name);
  });

  test("is in the pod with its character devices by NRI, where the runtime sees no receipts", async () => {
    const { ifname, name } = addRdmaLink(life.links);
    const { args, env } = asPod(node);
    // As from DRANET's DaemonSet, which mounts no CDI directory.
    const agent = await node.agent({ waits: false, args: [...args, "--cdi-dir", "/cdi-of-the-container"], env });
    await agent.url();
    await node.kubelet.register(DRIVER);
    await eventually("it is registered with the runtime", async () => (await agent.readyz()).includes("[+] runtime"));
    expect(await agent.readyz()).toContain("/cdi-of-the-container is the container's own, not the host's");
    const claim = life.claim(ifname);
    const { pod, containerId, cdiDevices } = await node.kubelet.startPod({
      name: claim.name,
      uid: claim.podUid,
      claims: [claim],
    });
    expect(cdiDevices).toEqual([]);
    expect(await life.charDevices(containerId)).toBe("rdma_cm uverbs");
    expect(await life.charDevices(await node.pods.launch(pod, { name: "neighbour" }))).toBe("");
    expect(await life.rdmaInPod(pod)).toEqual([`${name}/1 net1`]);
    await life.endPod(pod, claim);
    await life.expectAtHome(ifname, name);
  });
});

describe("an RDMA device without a link", () => {
  let ifname: string;
  let name: string;
  let tree: ReturnType<typeof functionTree>;
  let agent: Agent;
  beforeAll(async () => {
    life = new RdmaLife(node);
    ({ ifname, name } = addRdmaLink(life.links));
    tree = functionTree(name);
    agent = await node.agent({ args: ["--sysfs-root", tree.root] });
  });
  afterAll(async () => {
    await life[Symbol.asyncDispose]();
    tree[Symbol.dispose]();
  });

  test("gives its character devices to the container that names it, and its neighbour none", async () => {
    const claim = life.claim(FUNCTION_DEVICE, { config: {} });
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    expect(await life.charDevices(await life.launch(pod, "main", claim))).toBe("rdma_cm uverbs");
    expect(await life.charDevices(await node.pods.launch(pod, { name: "neighbour" }))).toBe("");
    await eventually("the claim says so", () => life.conditions(claim).includes("Ready=RDMAOnlyDeviceReady"));
    expect(rdmaLinks()).toEqual([`${name}/1 ${ifname}`]);
    await life.endPod(pod, claim);
  });

  test("goes to a pod with the host's network", async () => {
    const claim = life.claim(FUNCTION_DEVICE, { config: {}, hostNetwork: true });
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    expect(await life.charDevices(await life.launch(pod, "main", claim))).toBe("rdma_cm uverbs");
    await life.endPod(pod, claim);
  });

  test("that no container names is given to all of them, as DRANET does", async () => {
    const claim = life.claim(FUNCTION_DEVICE, { config: {}, namedBy: [] });
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    for (const container of ["main", "second"])
      expect(await life.charDevices(await node.pods.launch(pod, { name: container }))).toBe("rdma_cm uverbs");
    await life.endPod(pod, claim);
  });

  test("has umad where the class gives it, and issm where there is any", async () => {
    const fromClaim = life.claim(FUNCTION_DEVICE, { config: { umad: true } });
    expect(await refusal(node.kubelet.prepare(fromClaim))).toContain("only a DeviceClass may set it");
    const claim = life.claim(FUNCTION_DEVICE, { classConfig: { umad: true }, config: {} });
    await node.kubelet.prepare(claim);
    const pod = await life.runPod(claim);
    expect(await life.charDevices(await life.launch(pod, "main", claim))).toBe("rdma_cm umad uverbs");
    await life.endPod(pod, claim);
    const lacking = life.claim(FUNCTION_DEVICE, { classConfig: { issm: true }, config: {} });
    expect(await refusal(node.kubelet.prepare(lacking))).toContain(
      `RDMA device ${name} of device ${FUNCTION_DEVICE} has no character device issm`,
    );
  });

  test("that came late says that the pod has to be restarted", async () => {
    const claim = life.claim(FUNCTION_DEVICE, { config: {} });
    await node.kubelet.prepare(claim);
    await agent.kill();
    const pod = await life.runPod(claim);
    expect(await life.charDevices(await node.pods.launch(pod, { name: "early" }))).toBe("");
    await node.agent({ args: ["--sysfs-root", tree.root] });
    await eventually("the claim says so", () => life.conditions(claim).includes("AttachedLate=RestartRequired"));
    await life.endPod(pod, claim);
  });

  test("that is gone is refused with a sentence", async () => {
    rdma("link", "del", name);
    const refused = await refusal(node.kubelet.prepare(life.claim(FUNCTION_DEVICE, { config: {} })));
    expect(refused).toContain(`RDMA device ${name} of device ${FUNCTION_DEVICE} is not there any more`);
  });
});
