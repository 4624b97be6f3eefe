/** The agent is killed before a claim's device has arrived: no container that names the claim ever runs without it. */

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { eventually } from "../fakes/eventually.ts";
import { LATE_LIMIT_MS, lifeForTests, receiptOf } from "../lab/claim-life.ts";
import { hasLink, ip } from "../lab/links.ts";
import { refusal } from "../lab/refusal.ts";

const TEST_LIMIT_MS = 60_000;

describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  const lab = lifeForTests(suite);

  test(
    "(a) killed before Prepare: the kubelet gets no answer, and all goes well after the restart",
    async () => {
      const { ifname, before } = await lab.life.device();
      const claim = lab.life.claim(ifname);
      const first = await lab.node.agent();
      await first.kill();
      expect(await refusal(lab.node.kubelet.prepare(claim))).not.toBe("");
      expect(hasLink(ifname)).toBe(true);
      const agent = await lab.node.agent();
      await lab.node.kubelet.prepare(claim);
      const pod = await lab.life.runPod(claim);
      expect(await lab.life.hasLink(await lab.life.launch(pod, "main", claim))).toBe(true);
      await lab.life.endPod(pod, claim);
      await lab.life.expectAtHome(ifname, before);
      await lab.life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(b) killed between Prepare and RunPodSandbox: the named container is refused, the pod gets its link late",
    async () => {
      const { ifname, before, claim, agent: first } = await lab.life.prepared();
      await first.kill();
      const pod = await lab.life.runPod(claim);
      expect(await refusal(lab.life.launch(pod, "main", claim))).toContain("unresolvable CDI devices");
      await lab.node.pods.launch(pod, { name: "bystander" });
      const startMs = performance.now();
      const agent = await lab.node.agent();
      await eventually("the pod has its link", () => lab.life.isInPod(pod), LATE_LIMIT_MS);
      expect(performance.now() - startMs).toBeLessThan(LATE_LIMIT_MS + 1_000);
      const line = await agent.logged((at) => at.message.startsWith("device attached late"));
      expect(line["claimUid"]).toBe(claim.uid);
      expect(await agent.metric("dranet_driver_late_attaches_total")).toBe(1);
      expect(await lab.life.hasLink(await lab.life.launch(pod, "main", claim))).toBe(true);
      await lab.life.endPod(pod, claim);
      await lab.life.expectAtHome(ifname, before);
      await lab.life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test.each(["prepare.stored"])(
    "(b) killed at %s, before Prepare is answered: the kubelet asks again",
    async (point) => {
      const { ifname, before } = await lab.life.device();
      const claim = lab.life.claim(ifname);
      const first = await lab.node.agent({ faults: `kill:${point}` });
      await lab.node.kubelet.prepare(claim).catch(() => undefined);
      await first.died();
      await lab.node.agent();
      await lab.node.kubelet.prepare(claim);
      const pod = await lab.life.runPod(claim);
      expect(await lab.life.hasLink(await lab.life.launch(pod, "main", claim))).toBe(true);
      await lab.life.endPod(pod, claim);
      await lab.life.expectAtHome(ifname, before);
    },
    TEST_LIMIT_MS,
  );

  test.each(["held", "snapshot", "committed", "moved", "configured", "receipt"])(
    "(c) killed in the hook at attach.%s: no named container runs bare, and the pod gets its link",
    async (point) => {
      const { ifname, before, claim, agent: first } = await lab.life.prepared({ faults: `kill:attach.${point}` });
      const pod = await lab.life.runPod(claim);
      await first.died();
      if (point === "receipt") {
        expect(await lab.life.hasLink(await lab.life.launch(pod, "main", claim))).toBe(true);
      } else {
        expect(await refusal(lab.life.launch(pod, "main", claim))).toContain("unresolvable CDI devices");
      }
      const agent = await lab.node.agent();
      await eventually("the pod has its link", () => lab.life.isInPod(pod), LATE_LIMIT_MS);
      await eventually("the receipt is there", () =>
        existsSync(`${lab.node.lab.cdiDir}/netferry-dra.net-${claim.uid}.json`),
      );
      expect(await lab.life.hasLink(await lab.life.launch(pod, "second", claim))).toBe(true);
      await lab.life.endPod(pod, claim);
      await lab.life.expectAtHome(ifname, before);
      await lab.life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(g) a second pod uses the same claim: its container never starts, with the agent or without",
    async () => {
      const { ifname, before, claim, agent } = await lab.life.prepared();
      const pod = await lab.life.runPod(claim);
      await lab.life.launch(pod, "main", claim);
      const second = await lab.life.run("second");
      expect(await refusal(lab.life.launch(second, "thief", claim))).toContain("belongs to pod");
      await agent.kill();
      const containerId = await lab.node.pods.create(second, {
        name: "thief",
        cdiDevices: receiptOf(claim),
        attempt: 1,
      });
      expect(await refusal(lab.node.pods.start(containerId))).toContain("/dev/netferry");
      await lab.node.agent();
      await lab.life.endPod(pod, claim);
      await lab.life.expectAtHome(ifname, before);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a container that does not name the claim is refused while the device cannot be attached",
    async () => {
      const { ifname, claim, agent } = await lab.life.prepared();
      ip("link", "del", ifname);
      const pod = await lab.life.runPod(claim);
      expect(await refusal(lab.node.pods.launch(pod, { name: "bystander" }))).toContain(
        "is not in the host's namespace",
      );
      expect(await agent.metric('dranet_driver_container_refusals_total{reason="unfinished"}')).toBeGreaterThan(0);
      await lab.life.endPod(pod, claim);
    },
    TEST_LIMIT_MS,
  );
});
