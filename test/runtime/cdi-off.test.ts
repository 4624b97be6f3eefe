/** containerd 1.7 with its default `enable_cdi = false`: no receipt reaches a container, and netferry says so. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { eventually } from "../fakes/eventually.ts";
import type { Agent } from "../lab/agent.ts";
import { HostLinks, hasLink, uniqueName } from "../lab/links.ts";
import { TestNode } from "../lab/node.ts";
import { refusal } from "../lab/refusal.ts";
import { labPaths } from "../lab/runtime/containerd-config.ts";

const START_LIMIT_MS = 180_000; // the first start fetches packages
const TEST_LIMIT_MS = 60_000;

describe("containerd of trixie without CDI", () => {
  let node: TestNode;
  let agent: Agent;

  beforeAll(async () => {
    node = await TestNode.start({ suite: "trixie", cdi: false });
    agent = await node.agent();
  }, START_LIMIT_MS);
  afterAll(() => node[Symbol.asyncDispose](), TEST_LIMIT_MS);

  async function runClaimingPod(links: HostLinks, namedBy?: readonly string[]) {
    const { ifname } = links.vethToPeer();
    const claim = node.claim(uniqueName("bare"), {
      devices: ifname,
      config: { interface: { name: "net1" } },
      ...(namedBy === undefined ? {} : { namedBy }),
    });
    const cdiDevices = (await node.kubelet.prepare(claim)).flatMap((device) => device.cdiDeviceIds);
    const pod = await node.pods.run({ name: claim.name, uid: claim.podUid });
    return { ifname, claim, cdiDevices, pod };
  }

  test(
    "/readyz does not blame the setting before a container came without its receipt",
    async () => {
      expect(await agent.readyz()).toContain("[+] receipts");
    },
    TEST_LIMIT_MS,
  );

  test(
    "a container that names its claim is refused with a sentence, and /readyz names the setting",
    async () => {
      using links = new HostLinks();
      const { ifname, claim, cdiDevices, pod } = await runClaimingPod(links);
      const sentence = await refusal(node.pods.launch(pod, { name: "main", cdiDevices }));
      expect(sentence).toContain(`claim default/${claim.name} has no receipt in container main`);
      expect(sentence).toContain("enable_cdi = true");
      const readiness = await fetch(`${await agent.url()}readyz`);
      expect(readiness.status).toBe(503);
      expect(await readiness.text()).toMatch(/^\[-\] receipts: .*enable_cdi = true/m);
      expect(await agent.metric('dranet_driver_container_refusals_total{reason="no-receipt"}')).toBe(1);
      await node.kubelet.endPod(pod, [claim]);
      expect(hasLink(ifname)).toBe(true);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a container that names its claim by the annotation alone is refused as well",
    async () => {
      using links = new HostLinks();
      const { claim, cdiDevices, pod } = await runClaimingPod(links, []);
      const annotations = { "cdi.k8s.io/net": cdiDevices.join(",") };
      expect(await refusal(node.pods.launch(pod, { name: "main", annotations }))).toContain("has no receipt");
      await node.kubelet.endPod(pod, [claim]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a container that does not name the claim starts, with the link",
    async () => {
      using links = new HostLinks();
      const { claim, pod } = await runClaimingPod(links);
      const containerId = await node.pods.launch(pod, { name: "other" });
      expect((await node.pods.exec(containerId, "ip", "link", "show", "net1")).stdout).toContain("net1");
      await node.kubelet.endPod(pod, [claim]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a runtime that has CDI again makes the agent ready with the first container that shows its receipt",
    async () => {
      using links = new HostLinks();
      const { claim, cdiDevices, pod } = await runClaimingPod(links);
      expect(await refusal(node.pods.launch(pod, { name: "main", cdiDevices }))).toContain("enable_cdi");
      await node.lab.restart({ meanwhile: async () => turnCdiOn(node.lab.dir) });
      const registrations = () => agent.log.filter((line) => line.message === "registered with the runtime");
      await eventually("the agent is connected again", () => registrations().length === 2);
      const containerId = await node.pods.launch(pod, { name: "main", cdiDevices, attempt: 1 });
      expect((await node.pods.exec(containerId, "ip", "link", "show", "net1")).stdout).toContain("net1");
      await agent.ready();
      await node.kubelet.endPod(pod, [claim]);
    },
    TEST_LIMIT_MS,
  );
});

function turnCdiOn(labDir: string): void {
  const { config } = labPaths(labDir);
  writeFileSync(config, readFileSync(config, "utf8").replace("enable_cdi = false", "enable_cdi = true"));
}
