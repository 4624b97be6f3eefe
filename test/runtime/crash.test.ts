/**
 * The agent is killed at every point of a claim's life: no container that names its claim ever runs without its device,
 * nothing is lost, and everything converges once the agent is back.
 */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { eventually } from "../fakes/eventually.ts";
import type { Agent } from "../lab/agent.ts";
import { type HostState, hostState } from "../lab/host-state.ts";
import { HostLinks, hasLink, ip, uniqueName } from "../lab/links.ts";
import { TestNode } from "../lab/node.ts";
import type { ClaimRef } from "../lab/runtime/kubelet.ts";
import type { Pod } from "../lab/runtime/pods.ts";

const START_LIMIT_MS = 180_000;
const TEST_LIMIT_MS = 60_000;
/** A pod that slipped through has its link this long after the agent's start, which itself takes a part of it. */
const LATE_LIMIT_MS = 2_000;

describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  let node: TestNode;
  let links: HostLinks;
  let pods: Pod[];

  beforeAll(async () => {
    node = await TestNode.start({ suite });
  }, START_LIMIT_MS);
  afterAll(() => node[Symbol.asyncDispose](), TEST_LIMIT_MS);
  beforeEach(() => {
    links = new HostLinks();
    pods = [];
  });
  afterEach(async () => {
    await node.stopAgents();
    for (const pod of pods) await node.pods.stop(pod).then(() => node.pods.remove(pod));
    links[Symbol.dispose]();
  }, TEST_LIMIT_MS);

  /** A macvlan with an address, an altname and a route: one that can be made anew when its namespace died. */
  async function device(): Promise<{ ifname: string; before: HostState }> {
    const parent = links.vethToPeer().ifname;
    const ifname = uniqueName("m");
    links.run(["link", "set", parent, "up"]);
    links.run(["link", "add", ifname, "link", parent, "type", "macvlan", "mode", "bridge"], ["link", "del", ifname]);
    ip("link", "set", ifname, "mtu", "1450", "txqueuelen", "555", "alias", "spare", "up");
    ip("link", "property", "add", "dev", ifname, "altname", `${ifname}-alt`);
    ip("addr", "add", "10.71.0.5/24", "dev", ifname);
    ip("route", "add", "10.72.0.0/16", "via", "10.71.0.1", "dev", ifname, "metric", "77");
    await settled(ifname);
    return { ifname, before: hostState(ifname) };
  }

  const claimOf = (ifname: string, namedBy: readonly string[] = ["main"]) =>
    node.claim(uniqueName("crash"), {
      devices: ifname,
      config: { interface: { name: "net1", addresses: ["10.71.0.9/24"] } },
      namedBy,
    });

  async function runPod(claim: ClaimRef & { podUid: string }, attempt = 0): Promise<Pod> {
    const pod = await node.pods.run({ name: claim.name, uid: claim.podUid, attempt });
    pods.push(pod);
    return pod;
  }

  const receiptOf = (claim: ClaimRef) => [`netferry.dev/dra.net=${claim.uid}-nic`];
  const launch = (pod: Pod, name: string, cdiDevices: readonly string[], attempt = 0) =>
    node.pods.launch(pod, { name, cdiDevices, attempt });

  async function hasNet1(containerId: string): Promise<boolean> {
    return (await node.pods.exec(containerId, "ip", "addr", "show", "net1")).stdout.includes("10.71.0.9/24");
  }

  async function inPod(pod: Pod): Promise<boolean> {
    const path = (await node.pods.netns(pod)) ?? "";
    return Bun.spawnSync(["nsenter", `--net=${path}`, "ip", "addr", "show", "net1"])
      .stdout.toString()
      .includes("10.71.0.9/24");
  }

  async function endPod(pod: Pod, claim: ClaimRef): Promise<void> {
    pods = pods.filter((other) => other !== pod);
    await node.kubelet.endPod(pod, [claim]);
  }

  async function expectAtHome(ifname: string, before: HostState): Promise<void> {
    await eventually(`${ifname} is home`, () => hasLink(ifname));
    await settled(ifname);
    await eventually(
      `${ifname} is as it was`,
      () => JSON.stringify(hostState(ifname)) === JSON.stringify(before),
    ).catch(() => {
      expect(hostState(ifname)).toEqual(before);
    });
  }

  const expectNothingLeft = async (agent: Agent) => {
    for (const metric of ["held_namespaces", "receipts", 'devices{state="attached"}', 'devices{state="prepared"}'])
      expect([metric, await agent.metric(`dranet_driver_${metric}`)]).toEqual([metric, 0]);
  };

  test(
    "(a) killed before Prepare: the kubelet gets no answer, and all goes well after the restart",
    async () => {
      const { ifname, before } = await device();
      const claim = claimOf(ifname);
      const first = await node.agent();
      await first.kill();
      expect(await refusal(node.kubelet.prepare(claim))).not.toBe("");
      expect(hasLink(ifname)).toBe(true);
      const agent = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await runPod(claim);
      expect(await hasNet1(await launch(pod, "main", receiptOf(claim)))).toBe(true);
      await endPod(pod, claim);
      await expectAtHome(ifname, before);
      await expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(b) killed between Prepare and RunPodSandbox: the named container is refused, the pod gets its link late",
    async () => {
      const { ifname, before } = await device();
      const claim = claimOf(ifname);
      const first = await node.agent();
      await node.kubelet.prepare(claim);
      await first.kill();
      const pod = await runPod(claim);
      expect(await refusal(launch(pod, "main", receiptOf(claim)))).toContain("unresolvable CDI devices");
      await launch(pod, "bystander", []);
      const startMs = performance.now();
      const agent = await node.agent();
      await eventually("the pod has its link", () => inPod(pod), LATE_LIMIT_MS);
      expect(performance.now() - startMs).toBeLessThan(LATE_LIMIT_MS + 1_000);
      const line = await agent.logged((at) => at.message.startsWith("device attached late"));
      expect(line["claimUid"]).toBe(claim.uid);
      expect(await agent.metric("dranet_driver_late_attaches_total")).toBe(1);
      expect(await hasNet1(await launch(pod, "main", receiptOf(claim)))).toBe(true);
      await endPod(pod, claim);
      await expectAtHome(ifname, before);
      await expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test.each(["prepare.stored"])(
    "(b) killed at %s, before Prepare is answered: the kubelet asks again",
    async (point) => {
      const { ifname, before } = await device();
      const claim = claimOf(ifname);
      const first = await node.agent({ faults: `kill:${point}` });
      await node.kubelet.prepare(claim).catch(() => undefined);
      await first.died();
      await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await runPod(claim);
      expect(await hasNet1(await launch(pod, "main", receiptOf(claim)))).toBe(true);
      await endPod(pod, claim);
      await expectAtHome(ifname, before);
    },
    TEST_LIMIT_MS,
  );

  test.each(["held", "snapshot", "committed", "moved", "configured", "receipt"])(
    "(c) killed in the hook at attach.%s: no named container runs bare, and the pod gets its link",
    async (point) => {
      const { ifname, before } = await device();
      const claim = claimOf(ifname);
      const first = await node.agent({ faults: `kill:attach.${point}` });
      await node.kubelet.prepare(claim);
      const pod = await runPod(claim);
      await first.died();
      if (point === "receipt") {
        expect(await hasNet1(await launch(pod, "main", receiptOf(claim)))).toBe(true);
      } else {
        expect(await refusal(launch(pod, "main", receiptOf(claim)))).toContain("unresolvable CDI devices");
      }
      const agent = await node.agent();
      await eventually("the pod has its link", () => inPod(pod), LATE_LIMIT_MS);
      await eventually("the receipt is there", () =>
        existsSync(`${node.lab.cdiDir}/netferry-dra.net-${claim.uid}.json`),
      );
      expect(await hasNet1(await launch(pod, "second", receiptOf(claim)))).toBe(true);
      await endPod(pod, claim);
      await expectAtHome(ifname, before);
      await expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(d) killed while the pod runs: the pod keeps its link, the receipt holds, and the device comes home",
    async () => {
      const { ifname, before } = await device();
      const claim = claimOf(ifname);
      const first = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await runPod(claim);
      const containerId = await launch(pod, "main", receiptOf(claim));
      await first.kill();
      expect(await hasNet1(containerId)).toBe(true);
      expect(await hasNet1(await launch(pod, "restarted", receiptOf(claim)))).toBe(true);
      const agent = await node.agent();
      expect(await agent.metric("dranet_driver_late_attaches_total")).toBe(0);
      expect(await hasNet1(containerId)).toBe(true);
      await endPod(pod, claim);
      await expectAtHome(ifname, before);
      await expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(e) killed before StopPodSandbox: a macvlan that died with its namespace is made anew",
    async () => {
      const { ifname, before } = await device();
      const claim = claimOf(ifname);
      const first = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await runPod(claim);
      await launch(pod, "main", receiptOf(claim));
      await first.kill();
      await node.pods.stop(pod);
      expect(hasLink(ifname)).toBe(false);
      const agent = await node.agent();
      await eventually(`${ifname} is there again`, () => hasLink(ifname)).catch((error) => {
        throw new Error(`${error}${agent.tail()}`);
      });
      await settled(ifname);
      // The kernel numbers a new link anew; all else is as it was.
      const numbered = (state: HostState) =>
        JSON.parse(JSON.stringify(state, (key, value) => (key === "ifindex" ? 0 : value)));
      expect(numbered(hostState(ifname))).toEqual(numbered(before));
      await agent.logged(
        (at) => at.message === "link died with its namespace and was made anew" && at["ifname"] === ifname,
      );
      await endPod(pod, claim);
      await expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(e) killed before StopPodSandbox: a veth end that died with its namespace is reported by name",
    async () => {
      const { ifname } = links.vethToPeer(["10.71.0.1/24"]);
      const claim = claimOf(ifname);
      const first = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await runPod(claim);
      await launch(pod, "main", receiptOf(claim));
      await first.kill();
      await node.pods.stop(pod);
      const agent = await node.agent();
      const line = await agent.logged((at) => at.message === "link is lost");
      expect(line["ifname"]).toBe(ifname);
      expect(await agent.metric("dranet_driver_lost_links")).toBe(1);
      await endPod(pod, claim);
      await expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test.each(["receiptRemoved", "moved", "restored"])(
    "(e) killed on the way home at detach.%s: the device is home after the restart",
    async (point) => {
      const { ifname, before } = await device();
      const claim = claimOf(ifname);
      const first = await node.agent({ faults: `kill:detach.${point}` });
      await node.kubelet.prepare(claim);
      const pod = await runPod(claim);
      await launch(pod, "main", receiptOf(claim));
      await node.pods.stop(pod);
      await first.died();
      const agent = await node.agent();
      await eventually(`${ifname} is home`, () => hasLink(ifname));
      await endPod(pod, claim);
      await settled(ifname);
      if (point === "receiptRemoved") expect(hostState(ifname).routes).toHaveLength(before.routes.length);
      else await expectAtHome(ifname, before);
      await expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(f) the sandbox is replaced while the agent is dead: the old receipt starts nothing, the new sandbox gets the device",
    async () => {
      const { ifname } = await device();
      const claim = claimOf(ifname);
      const first = await node.agent();
      await node.kubelet.prepare(claim);
      const old = await runPod(claim);
      await launch(old, "main", receiptOf(claim));
      await first.kill();
      await node.pods.stop(old);
      const pod = await runPod(claim, 1);
      const containerId = await node.pods.create(pod, { name: "main", cdiDevices: receiptOf(claim), attempt: 1 });
      expect(await refusal(node.pods.start(containerId))).toContain("/dev/netferry");
      const agent = await node.agent();
      await eventually("the new sandbox has the link", () => inPod(pod), LATE_LIMIT_MS);
      await eventually("the new receipt works", async () => {
        const tried = launch(pod, uniqueName("again"), receiptOf(claim));
        return tried.then(hasNet1, () => false);
      });
      await endPod(pod, claim);
      await eventually(`${ifname} is home`, () => hasLink(ifname));
      await expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(f) the sandbox is replaced while the agent runs: the device moves into the new one",
    async () => {
      const { ifname, before } = await device();
      const claim = claimOf(ifname);
      const agent = await node.agent();
      await node.kubelet.prepare(claim);
      const old = await runPod(claim);
      await launch(old, "main", receiptOf(claim));
      await node.pods.stop(old);
      const pod = await runPod(claim, 1);
      expect(await hasNet1(await launch(pod, "main", receiptOf(claim), 1))).toBe(true);
      await endPod(pod, claim);
      await expectAtHome(ifname, before);
      await expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(g) a second pod uses the same claim: its container never starts, with the agent or without",
    async () => {
      const { ifname, before } = await device();
      const claim = claimOf(ifname);
      const agent = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await runPod(claim);
      await launch(pod, "main", receiptOf(claim));
      const second = await node.pods.run({ name: "second" });
      pods.push(second);
      expect(await refusal(launch(second, "thief", receiptOf(claim)))).toContain("belongs to pod");
      await agent.kill();
      const containerId = await node.pods.create(second, { name: "thief", cdiDevices: receiptOf(claim), attempt: 1 });
      expect(await refusal(node.pods.start(containerId))).toContain("/dev/netferry");
      await node.agent();
      await endPod(pod, claim);
      await expectAtHome(ifname, before);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a container that does not name the claim is refused while the device cannot be attached",
    async () => {
      const { ifname } = await device();
      const claim = claimOf(ifname);
      const agent = await node.agent();
      await node.kubelet.prepare(claim);
      ip("link", "del", ifname);
      const pod = await runPod(claim);
      expect(await refusal(launch(pod, "bystander", []))).toContain("is not in the host's namespace");
      expect(await agent.metric('dranet_driver_container_refusals_total{reason="unfinished"}')).toBeGreaterThan(0);
      await endPod(pod, claim);
    },
    TEST_LIMIT_MS,
  );

  test(
    "containerd restarts under a running pod: the device is home soon after the namespace file is gone",
    async () => {
      const { ifname, before } = await device();
      const claim = claimOf(ifname);
      const agent = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await runPod(claim);
      await launch(pod, "main", receiptOf(claim));
      await node.lab.restart();
      await agent.ready();
      await node.pods.stop(pod);
      await eventually(`${ifname} is home`, () => hasLink(ifname), 5_000);
      await expectAtHome(ifname, before);
      await endPod(pod, claim);
      await expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );
});

/** What the call was refused with. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const answer = await call.then(
    () => undefined,
    (error: unknown) => String(error),
  );
  if (answer === undefined) throw new Error("the call was not refused");
  return answer;
}

function settled(ifname: string): Promise<void> {
  return eventually(
    `${ifname} has no tentative address`,
    () => !ip("addr", "show", "dev", ifname).includes("tentative"),
  );
}
