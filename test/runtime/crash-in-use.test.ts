/** The agent is killed, or the runtime restarted, while a pod has its device: nothing is lost and all converges. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../fakes/eventually.ts";
import { LATE_LIMIT_MS, lifeForTests, receiptOf } from "../lab/claim-life.ts";
import { expectHostState, type HostState } from "../lab/host-state.ts";
import { hasLink, uniqueName } from "../lab/links.ts";
import { refusal } from "../lab/refusal.ts";

const TEST_LIMIT_MS = 60_000;

describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  const lab = lifeForTests(suite);

  test(
    "(d) killed while the pod runs: the pod keeps its link, the receipt holds, and the device comes home",
    async () => {
      const { ifname, before, claim, agent: first } = await lab.life.prepared();
      const pod = await lab.life.runPod(claim);
      const containerId = await lab.life.launch(pod, "main", claim);
      await first.kill();
      expect(await lab.life.hasLink(containerId)).toBe(true);
      expect(await lab.life.hasLink(await lab.life.launch(pod, "restarted", claim))).toBe(true);
      const agent = await lab.node.agent();
      expect(await agent.metric("dranet_driver_late_attaches_total")).toBe(0);
      expect(await lab.life.hasLink(containerId)).toBe(true);
      await lab.life.endPod(pod, claim);
      await lab.life.expectAtHome(ifname, before);
      await lab.life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(e) killed before StopPodSandbox: a macvlan that died with its namespace is made anew",
    async () => {
      const { ifname, before, claim, agent: first } = await lab.life.prepared();
      const pod = await lab.life.runPod(claim);
      await lab.life.launch(pod, "main", claim);
      await first.kill();
      await lab.node.pods.stop(pod);
      expect(hasLink(ifname)).toBe(false);
      const agent = await lab.node.agent();
      await eventually(`${ifname} is there again`, () => hasLink(ifname)).catch((error) => {
        throw new Error(`${error}${agent.tail()}`);
      });
      await expectHostState(ifname, before, withoutIndex);
      await agent.logged(
        (at) => at.message === "link died with its namespace and was made anew" && at["ifname"] === ifname,
      );
      await lab.life.endPod(pod, claim);
      await lab.life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(e) killed before StopPodSandbox: a veth end that died with its namespace is reported by name",
    async () => {
      const { ifname } = lab.life.links.vethToPeer(["10.71.0.1/24"]);
      const claim = lab.life.claim(ifname);
      const first = await lab.node.agent();
      await lab.node.kubelet.prepare(claim);
      const pod = await lab.life.runPod(claim);
      await lab.life.launch(pod, "main", claim);
      await first.kill();
      await lab.node.pods.stop(pod);
      const agent = await lab.node.agent();
      const line = await agent.logged((at) => at.message === "link is lost");
      expect(line["ifname"]).toBe(ifname);
      expect(await agent.metric("dranet_driver_lost_links_total")).toBe(1);
      await lab.life.endPod(pod, claim);
      await lab.life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test.each(["receiptRemoved", "moved", "restored"])(
    "(e) killed on the way home at detach.%s: the device is home after the restart",
    async (point) => {
      const { ifname, before, claim, agent: first } = await lab.life.prepared({ faults: `kill:detach.${point}` });
      const pod = await lab.life.runPod(claim);
      await lab.life.launch(pod, "main", claim);
      await lab.node.pods.stop(pod);
      await first.died();
      const agent = await lab.node.agent();
      await eventually(`${ifname} is home`, () => hasLink(ifname));
      await lab.life.endPod(pod, claim);
      await expectHostState(ifname, before, withoutIndex);
      await lab.life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(f) the sandbox is replaced while the agent is dead: the old receipt starts nothing, the new sandbox gets the device",
    async () => {
      const { ifname, claim, agent: first } = await lab.life.prepared();
      const old = await lab.life.runPod(claim);
      await lab.life.launch(old, "main", claim);
      await first.kill();
      await lab.node.pods.stop(old);
      const pod = await lab.life.runPod(claim, 1);
      const containerId = await lab.node.pods.create(pod, { name: "main", cdiDevices: receiptOf(claim), attempt: 1 });
      expect(await refusal(lab.node.pods.start(containerId))).toContain("/dev/netferry");
      const agent = await lab.node.agent();
      await eventually("the new sandbox has the link", () => lab.life.isInPod(pod), LATE_LIMIT_MS);
      await eventually("the new receipt works", async () => {
        const tried = lab.life.launch(pod, uniqueName("again"), claim);
        return tried.then(
          (id) => lab.life.hasLink(id),
          () => false,
        );
      });
      await lab.life.endPod(pod, claim);
      await eventually(`${ifname} is home`, () => hasLink(ifname));
      await lab.life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(f) the sandbox is replaced while the agent runs: the device moves into the new one",
    async () => {
      const { ifname, before, claim, agent } = await lab.life.prepared();
      const old = await lab.life.runPod(claim);
      await lab.life.launch(old, "main", claim);
      await lab.node.pods.stop(old);
      const pod = await lab.life.runPod(claim, 1);
      expect(await lab.life.hasLink(await lab.life.launch(pod, "main", claim, 1))).toBe(true);
      await lab.life.endPod(pod, claim);
      await lab.life.expectAtHome(ifname, before);
      await lab.life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "containerd restarts under a running pod: the device is home soon after the namespace file is gone",
    async () => {
      const { ifname, before, claim, agent } = await lab.life.prepared();
      const pod = await lab.life.runPod(claim);
      await lab.life.launch(pod, "main", claim);
      await lab.node.lab.restart();
      await agent.ready();
      await lab.node.pods.stop(pod);
      await eventually(`${ifname} is home`, () => hasLink(ifname), 5_000);
      await lab.life.expectAtHome(ifname, before);
      await lab.life.endPod(pod, claim);
      await lab.life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );
});

/** The kernel numbers a link that is made anew anew; all else is as it was. */
function withoutIndex(state: HostState): unknown {
  return JSON.parse(JSON.stringify(state, (key, value) => (key === "ifindex" ? 0 : value)));
}
