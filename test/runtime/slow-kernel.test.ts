/**
 * The kernel takes seconds to move a link: hooks are answered in time all the same, the runtime keeps the plugin, no
 * container of the pod starts bare, and the pod gets its link in the end.
 */

import { describe, expect, test } from "bun:test";
import { eventually } from "../fakes/eventually.ts";
import type { Agent } from "../lab/agent.ts";
import { HostLinks, hasLink, uniqueName } from "../lab/links.ts";
import { TestNode } from "../lab/node.ts";
import { refusal } from "../lab/refusal.ts";

const TEST_LIMIT_MS = 180_000; // the first start fetches packages
/** NRI's default plugin_request_timeout: a runtime closes the connection of a plugin that answers later. */
const REQUEST_TIMEOUT_MS = 2_000;

// One after the other: what is measured here is who is in time.
describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  test(
    "a move of 3 s: hooks answer in time, the named container is refused, the other waits for the link",
    async () => {
      await using node = await TestNode.start({ suite });
      using links = new HostLinks();
      const agent = await node.agent({ faults: "slow:kernel.moveLink:3000" });
      const usualMs = await usualStartMs(node);
      const { claim, cdiDevices, ifname } = await preparedClaim(node, links);

      const startedMs = performance.now();
      const pod = await node.pods.run({ name: claim.name, uid: claim.podUid });
      expect(performance.now() - startedMs - usualMs).toBeLessThan(REQUEST_TIMEOUT_MS);
      expect(await refusal(node.pods.launch(pod, { name: "main", cdiDevices }))).toContain("unresolvable CDI devices");
      // It waits for the rest of the move, or on a slow machine is told to come again, as the kubelet does.
      const waited = await node.pods
        .launch(pod, { name: "other" })
        .catch(() => node.pods.launch(pod, { name: "other", attempt: 1 }));
      expect(await addressOf(node, waited)).toContain("10.73.0.9/24");
      await expectLateWork(agent, "RunPodSandbox", pod.sandboxId);
      const named = await node.pods.launch(pod, { name: "main", cdiDevices, attempt: 1 });
      expect(await addressOf(node, named)).toContain("10.73.0.9/24");

      const stoppedMs = performance.now();
      await node.pods.stop(pod);
      expect(performance.now() - stoppedMs - usualMs).toBeLessThan(REQUEST_TIMEOUT_MS);
      await expectLateWork(agent, "StopPodSandbox", pod.sandboxId);
      await node.pods.remove(pod);
      await node.kubelet.unprepare(claim);
      expect(hasLink(ifname)).toBe(true);
      await expectStayedConnected(agent);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a move of 10.5 s: hooks answer in time, all containers of the pod are refused, then it recovers",
    async () => {
      await using node = await TestNode.start({ suite });
      using links = new HostLinks();
      const agent = await node.agent({ faults: "slow:kernel.moveLink:10500" });
      const usualMs = await usualStartMs(node);
      const { claim, cdiDevices, ifname } = await preparedClaim(node, links);

      const startedMs = performance.now();
      const pod = await node.pods.run({ name: claim.name, uid: claim.podUid });
      expect(performance.now() - startedMs - usualMs).toBeLessThan(REQUEST_TIMEOUT_MS);
      expect(await refusal(node.pods.launch(pod, { name: "main", cdiDevices }))).toContain("unresolvable CDI devices");
      const launchedMs = performance.now();
      expect(await refusal(node.pods.launch(pod, { name: "other" }))).toContain("is still being attached");
      expect(performance.now() - launchedMs - usualMs).toBeLessThan(REQUEST_TIMEOUT_MS);
      // Nobody is to take the agent for dead meanwhile, and other pods are not to wait.
      expect((await fetch(`${await agent.url()}healthz`)).status).toBe(200);
      const stranger = await node.pods.run({ name: uniqueName("stranger") });
      await node.pods.launch(stranger, { name: "main" });
      expect(performance.now() - startedMs).toBeLessThan(10_500);

      await expectLateWork(agent, "RunPodSandbox", pod.sandboxId);
      for (const [name, devices] of [
        ["main", cdiDevices],
        ["other", []],
      ] as const) {
        const containerId = await node.pods.launch(pod, { name, cdiDevices: devices, attempt: 1 });
        expect(await addressOf(node, containerId)).toContain("10.73.0.9/24");
      }
      await expectStayedConnected(agent);

      await agent.kill();
      await node.agent();
      await node.kubelet.endPod(pod, [claim]);
      expect(hasLink(ifname)).toBe(true);
    },
    TEST_LIMIT_MS,
  );
});

/** How long a pod without a claim takes to start here. */
async function usualStartMs(node: TestNode): Promise<number> {
  const startedMs = performance.now();
  const pod = await node.pods.run({ name: uniqueName("usual") });
  const usualMs = performance.now() - startedMs;
  await node.pods.stop(pod);
  await node.pods.remove(pod);
  return usualMs;
}

async function preparedClaim(node: TestNode, links: HostLinks) {
  const { ifname } = links.vethToPeer(["10.73.0.1/24"]);
  const claim = node.claim(uniqueName("slow"), {
    devices: ifname,
    config: { interface: { name: "net1", addresses: ["10.73.0.9/24"] } },
  });
  const devices = await node.kubelet.prepare(claim);
  expect(devices.map((device) => device.deviceName)).toEqual([ifname]);
  return { claim, ifname, cdiDevices: devices.flatMap((device) => device.cdiDeviceIds) };
}

async function addressOf(node: TestNode, containerId: string): Promise<string> {
  return (await node.pods.exec(containerId, "ip", "addr", "show", "net1")).stdout;
}

async function expectLateWork(agent: Agent, hook: string, sandboxId: string): Promise<void> {
  for (const message of ["hook answered before its work was done", "late work of a hook is done"])
    await agent.logged((at) => at.message === message && at["hook"] === hook && at["sandboxId"] === sandboxId);
}

async function expectStayedConnected(agent: Agent): Promise<void> {
  await eventually("the agent is ready", async () => (await fetch(`${await agent.url()}readyz`)).ok);
  const said = (start: string) => agent.log.filter((line) => line.message.startsWith(start)).length;
  expect(said("no connection to the runtime")).toBe(0);
  expect(said("registered with the runtime")).toBe(1);
  expect(await agent.metric('dranet_driver_reconciliations_total{reason="connected"}')).toBe(1);
}
