/** The agent is killed, or the runtime restarted, while a pod has its device: nothing is lost and all converges. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { eventually } from "../fakes/eventually.ts";
import { ClaimLife, LATE_LIMIT_MS, receiptOf } from "../lab/claim-life.ts";
import { expectHostState, type HostState } from "../lab/host-state.ts";
import { hasLink, uniqueName } from "../lab/links.ts";
import { TestNode } from "../lab/node.ts";
import { refusal } from "../lab/refusal.ts";

const START_LIMIT_MS = 180_000;
const TEST_LIMIT_MS = 60_000;

describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  let node: TestNode;
  let life: ClaimLife;

  beforeAll(async () => {
    node = await TestNode.start({ suite });
  }, START_LIMIT_MS);
  afterAll(() => node[Symbol.asyncDispose](), TEST_LIMIT_MS);
  beforeEach(() => {
    life = new ClaimLife(node);
  });
  afterEach(() => life[Symbol.asyncDispose](), TEST_LIMIT_MS);

  test(
    "(d) killed while the pod runs: the pod keeps its link, the receipt holds, and the device comes home",
    async () => {
      const { ifname, before } = await life.device();
      const claim = life.claim(ifname);
      const first = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      const containerId = await life.launch(pod, "main", claim);
      await first.kill();
      expect(await life.hasLink(containerId)).toBe(true);
      expect(await life.hasLink(await life.launch(pod, "restarted", claim))).toBe(true);
      const agent = await node.agent();
      expect(await agent.metric("dranet_driver_late_attaches_total")).toBe(0);
      expect(await life.hasLink(containerId)).toBe(true);
      await life.endPod(pod, claim);
      await life.expectAtHome(ifname, before);
      await life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(e) killed before StopPodSandbox: a macvlan that died with its namespace is made anew",
    async () => {
      const { ifname, before } = await life.device();
      const claim = life.claim(ifname);
      const first = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      await life.launch(pod, "main", claim);
      await first.kill();
      await node.pods.stop(pod);
      expect(hasLink(ifname)).toBe(false);
      const agent = await node.agent();
      await eventually(`${ifname} is there again`, () => hasLink(ifname)).catch((error) => {
        throw new Error(`${error}${agent.tail()}`);
      });
      await expectHostState(ifname, before, withoutIndex);
      await agent.logged(
        (at) => at.message === "link died with its namespace and was made anew" && at["ifname"] === ifname,
      );
      await life.endPod(pod, claim);
      await life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(e) killed before StopPodSandbox: a veth end that died with its namespace is reported by name",
    async () => {
      const { ifname } = life.links.vethToPeer(["10.71.0.1/24"]);
      const claim = life.claim(ifname);
      const first = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      await life.launch(pod, "main", claim);
      await first.kill();
      await node.pods.stop(pod);
      const agent = await node.agent();
      const line = await agent.logged((at) => at.message === "link is lost");
      expect(line["ifname"]).toBe(ifname);
      expect(await agent.metric("dranet_driver_lost_links_total")).toBe(1);
      await life.endPod(pod, claim);
      await life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test.each(["receiptRemoved", "moved", "restored"])(
    "(e) killed on the way home at detach.%s: the device is home after the restart",
    async (point) => {
      const { ifname, before } = await life.device();
      const claim = life.claim(ifname);
      const first = await node.agent({ faults: `kill:detach.${point}` });
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      await life.launch(pod, "main", claim);
      await node.pods.stop(pod);
      await first.died();
      const agent = await node.agent();
      await eventually(`${ifname} is home`, () => hasLink(ifname));
      await life.endPod(pod, claim);
      await expectHostState(ifname, before, withoutIndex);
      await life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(f) the sandbox is replaced while the agent is dead: the old receipt starts nothing, the new sandbox gets the device",
    async () => {
      const { ifname } = await life.device();
      const claim = life.claim(ifname);
      const first = await node.agent();
      await node.kubelet.prepare(claim);
      const old = await life.runPod(claim);
      await life.launch(old, "main", claim);
      await first.kill();
      await node.pods.stop(old);
      const pod = await life.runPod(claim, 1);
      const containerId = await node.pods.create(pod, { name: "main", cdiDevices: receiptOf(claim), attempt: 1 });
      expect(await refusal(node.pods.start(containerId))).toContain("/dev/netferry");
      const agent = await node.agent();
      await eventually("the new sandbox has the link", () => life.isInPod(pod), LATE_LIMIT_MS);
      await eventually("the new receipt works", async () => {
        const tried = life.launch(pod, uniqueName("again"), claim);
        return tried.then(
          (id) => life.hasLink(id),
          () => false,
        );
      });
      await life.endPod(pod, claim);
      await eventually(`${ifname} is home`, () => hasLink(ifname));
      await life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(f) the sandbox is replaced while the agent runs: the device moves into the new one",
    async () => {
      const { ifname, before } = await life.device();
      const claim = life.claim(ifname);
      const agent = await node.agent();
      await node.kubelet.prepare(claim);
      const old = await life.runPod(claim);
      await life.launch(old, "main", claim);
      await node.pods.stop(old);
      const pod = await life.runPod(claim, 1);
      expect(await life.hasLink(await life.launch(pod, "main", claim, 1))).toBe(true);
      await life.endPod(pod, claim);
      await life.expectAtHome(ifname, before);
      await life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "containerd restarts under a running pod: the device is home soon after the namespace file is gone",
    async () => {
      const { ifname, before } = await life.device();
      const claim = life.claim(ifname);
      const agent = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      await life.launch(pod, "main", claim);
      await node.lab.restart();
      await agent.ready();
      await node.pods.stop(pod);
      await eventually(`${ifname} is home`, () => hasLink(ifname), 5_000);
      await life.expectAtHome(ifname, before);
      await life.endPod(pod, claim);
      await life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );
});

/** The kernel numbers a link that is made anew anew; all else is as it was. */
function withoutIndex(state: HostState): unknown {
  return JSON.parse(JSON.stringify(state, (key, value) => (key === "ifindex" ? 0 : value)));
}
