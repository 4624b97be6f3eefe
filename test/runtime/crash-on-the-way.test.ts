/** The agent is killed before a claim's device has arrived: no container that names the claim ever runs without it. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { eventually } from "../fakes/eventually.ts";
import { ClaimLife, LATE_LIMIT_MS, receiptOf } from "../lab/claim-life.ts";
import { hasLink, ip } from "../lab/links.ts";
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
    "(a) killed before Prepare: the kubelet gets no answer, and all goes well after the restart",
    async () => {
      const { ifname, before } = await life.device();
      const claim = life.claim(ifname);
      const first = await node.agent();
      await first.kill();
      expect(await refusal(node.kubelet.prepare(claim))).not.toBe("");
      expect(hasLink(ifname)).toBe(true);
      const agent = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      expect(await life.hasLink(await life.launch(pod, "main", claim))).toBe(true);
      await life.endPod(pod, claim);
      await life.expectAtHome(ifname, before);
      await life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(b) killed between Prepare and RunPodSandbox: the named container is refused, the pod gets its link late",
    async () => {
      const { ifname, before } = await life.device();
      const claim = life.claim(ifname);
      const first = await node.agent();
      await node.kubelet.prepare(claim);
      await first.kill();
      const pod = await life.runPod(claim);
      expect(await refusal(life.launch(pod, "main", claim))).toContain("unresolvable CDI devices");
      await node.pods.launch(pod, { name: "bystander" });
      const startMs = performance.now();
      const agent = await node.agent();
      await eventually("the pod has its link", () => life.isInPod(pod), LATE_LIMIT_MS);
      expect(performance.now() - startMs).toBeLessThan(LATE_LIMIT_MS + 1_000);
      const line = await agent.logged((at) => at.message.startsWith("device attached late"));
      expect(line["claimUid"]).toBe(claim.uid);
      expect(await agent.metric("dranet_driver_late_attaches_total")).toBe(1);
      expect(await life.hasLink(await life.launch(pod, "main", claim))).toBe(true);
      await life.endPod(pod, claim);
      await life.expectAtHome(ifname, before);
      await life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test.each(["prepare.stored"])(
    "(b) killed at %s, before Prepare is answered: the kubelet asks again",
    async (point) => {
      const { ifname, before } = await life.device();
      const claim = life.claim(ifname);
      const first = await node.agent({ faults: `kill:${point}` });
      await node.kubelet.prepare(claim).catch(() => undefined);
      await first.died();
      await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      expect(await life.hasLink(await life.launch(pod, "main", claim))).toBe(true);
      await life.endPod(pod, claim);
      await life.expectAtHome(ifname, before);
    },
    TEST_LIMIT_MS,
  );

  test.each(["held", "snapshot", "committed", "moved", "configured", "receipt"])(
    "(c) killed in the hook at attach.%s: no named container runs bare, and the pod gets its link",
    async (point) => {
      const { ifname, before } = await life.device();
      const claim = life.claim(ifname);
      const first = await node.agent({ faults: `kill:attach.${point}` });
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      await first.died();
      if (point === "receipt") {
        expect(await life.hasLink(await life.launch(pod, "main", claim))).toBe(true);
      } else {
        expect(await refusal(life.launch(pod, "main", claim))).toContain("unresolvable CDI devices");
      }
      const agent = await node.agent();
      await eventually("the pod has its link", () => life.isInPod(pod), LATE_LIMIT_MS);
      await eventually("the receipt is there", () =>
        existsSync(`${node.lab.cdiDir}/netferry-dra.net-${claim.uid}.json`),
      );
      expect(await life.hasLink(await life.launch(pod, "second", claim))).toBe(true);
      await life.endPod(pod, claim);
      await life.expectAtHome(ifname, before);
      await life.expectNothingLeft(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "(g) a second pod uses the same claim: its container never starts, with the agent or without",
    async () => {
      const { ifname, before } = await life.device();
      const claim = life.claim(ifname);
      const agent = await node.agent();
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      await life.launch(pod, "main", claim);
      const second = await life.run("second");
      expect(await refusal(life.launch(second, "thief", claim))).toContain("belongs to pod");
      await agent.kill();
      const containerId = await node.pods.create(second, { name: "thief", cdiDevices: receiptOf(claim), attempt: 1 });
      expect(await refusal(node.pods.start(containerId))).toContain("/dev/netferry");
      await node.agent();
      await life.endPod(pod, claim);
      await life.expectAtHome(ifname, before);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a container that does not name the claim is refused while the device cannot be attached",
    async () => {
      const { ifname } = await life.device();
      const claim = life.claim(ifname);
      const agent = await node.agent();
      await node.kubelet.prepare(claim);
      ip("link", "del", ifname);
      const pod = await life.runPod(claim);
      expect(await refusal(node.pods.launch(pod, { name: "bystander" }))).toContain("is not in the host's namespace");
      expect(await agent.metric('dranet_driver_container_refusals_total{reason="unfinished"}')).toBeGreaterThan(0);
      await life.endPod(pod, claim);
    },
    TEST_LIMIT_MS,
  );
});
