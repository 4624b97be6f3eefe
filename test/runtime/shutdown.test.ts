/** The kubelet stops the agent, as in each update of its DaemonSet: pods go on, and the next one takes over. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../fakes/eventually.ts";
import type { Agent } from "../lab/agent.ts";
import { type HostState, hostState } from "../lab/host-state.ts";
import { HostLinks, hasLink, ip, uniqueName } from "../lab/links.ts";
import { TestNode } from "../lab/node.ts";
import type { ClaimRef } from "../lab/runtime/kubelet.ts";
import type { Pod } from "../lab/runtime/pods.ts";

const START_LIMIT_MS = 180_000; // the first start fetches packages
const TEST_LIMIT_MS = 60_000;
/** A third of what the kubelet gives a pod to end. */
const STOP_LIMIT_MS = 10_000;

describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  let node: TestNode;
  let links: HostLinks;
  let ifname: string;
  let before: HostState;
  let claim: ClaimRef & { readonly podUid: string };

  beforeAll(async () => {
    node = await TestNode.start({ suite });
  }, START_LIMIT_MS);
  afterAll(() => node[Symbol.asyncDispose](), TEST_LIMIT_MS);
  beforeEach(() => {
    links = new HostLinks();
    ifname = links.vethToPeer(["10.76.0.1/24"]).ifname;
    ip("addr", "add", "10.76.0.5/24", "dev", ifname);
    before = hostState(ifname);
    claim = node.claim(uniqueName("stop"), {
      devices: ifname,
      config: { interface: { name: "net1", addresses: ["10.76.0.9/24"] } },
    });
  });
  afterEach(async () => {
    await node.stopAgents();
    links[Symbol.dispose]();
  }, TEST_LIMIT_MS);

  async function stopped(agent: Agent): Promise<void> {
    const startedMs = performance.now();
    expect(await agent.stop()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(STOP_LIMIT_MS);
    expect(sockets()).toEqual([]);
    expect(agent.log.filter(({ level }) => level === "error" || level === "text")).toEqual([]);
  }

  /** What the kubelet would find of the driver. */
  function sockets(): readonly string[] {
    const names = readdirSync(join(node.dir, "kubelet"), { recursive: true, encoding: "utf8" });
    return names.filter((name) => name.endsWith(".sock"));
  }

  const receipt = () => [`netferry.dev/dra.net=${claim.uid}-nic`];
  const hasReceipt = () => existsSync(join(node.lab.cdiDir, `netferry-dra.net-${claim.uid}.json`));

  async function expectNet1(containerId: string): Promise<void> {
    const shown = await node.pods.exec(containerId, "ip", "addr", "show", "net1");
    expect(shown.stdout).toContain("10.76.0.9/24");
    expect((await node.pods.exec(containerId, "ping", "-c", "1", "-W", "2", "10.76.0.1")).exitCode).toBe(0);
  }

  async function expectHome(agent: Agent, pod: Pod): Promise<void> {
    await node.kubelet.endPod(pod, [claim]);
    expect(hostState(ifname)).toEqual(before);
    expect(await agent.metric("dranet_driver_held_namespaces")).toBe(0);
    expect(readdirSync(node.lab.cdiDir)).toEqual([]);
  }

  test(
    "an agent whose port is taken ends with a sentence, before the kubelet hears of it",
    async () => {
      using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
      const agent = await node.agent({ args: ["--bind-address", `127.0.0.1:${taken.port}`], waits: false });
      await agent.died();
      expect(agent.exitCode).not.toBe(0);
      expect(agent.tail()).toContain(`port ${taken.port} is in use`);
      expect(sockets()).toEqual([]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "SIGTERM ends the agent with code 0; the pod keeps its link and its receipt, and the next agent takes both over",
    async () => {
      const first = await node.agent();
      expect(sockets().toSorted()).toEqual(["plugins/dra.net/dra.sock", "plugins_registry/dra.net-reg.sock"]);
      const { pod, containerId } = await node.kubelet.startPod({
        name: claim.name,
        uid: claim.podUid,
        claims: [claim],
      });
      await stopped(first);
      await expectNet1(containerId);
      // The device is where the receipt says: a container that starts again needs no agent.
      await expectNet1(await node.pods.launch(pod, { name: "again", cdiDevices: receipt() }));

      const agent = await node.agent();
      await expectNet1(containerId);
      await expectNet1(await node.pods.launch(pod, { name: "again", cdiDevices: receipt(), attempt: 1 }));
      expect(await agent.metric('dranet_driver_devices{state="attached"}')).toBe(1);
      expect(await agent.metric("dranet_driver_held_namespaces")).toBe(1);
      expect(await agent.metric("dranet_driver_late_attaches_total")).toBe(0);
      expect(agent.log.filter(({ message }) => message.startsWith("device attached"))).toEqual([]);
      await expectHome(agent, pod);
    },
    TEST_LIMIT_MS,
  );

  test(
    "SIGTERM between Prepare and the sandbox: the next agent attaches without a second Prepare",
    async () => {
      await stopped(
        await node.agent().then(async (agent) => {
          await node.kubelet.prepare(claim);
          return agent;
        }),
      );
      const agent = await node.agent();
      const pod = await node.pods.run({ name: claim.name, uid: claim.podUid });
      await expectNet1(await node.pods.launch(pod, { name: "main", cdiDevices: receipt() }));
      expect(await agent.metric("dranet_driver_late_attaches_total")).toBe(0);
      await expectHome(agent, pod);
    },
    TEST_LIMIT_MS,
  );

  test(
    "SIGTERM in the middle of an attach: the agent ends in time, and the next one has the device where it belongs",
    async () => {
      const first = await node.agent({ faults: "slow:kernel.moveLink:2500" });
      await node.kubelet.prepare(claim);
      const pod = await node.pods.run({ name: claim.name, uid: claim.podUid });
      expect(hasReceipt()).toBe(false);
      await stopped(first);
      const agent = await node.agent();
      await eventually("the receipt is there", hasReceipt);
      await expectNet1(await node.pods.launch(pod, { name: "main", cdiDevices: receipt() }));
      await expectHome(agent, pod);
    },
    TEST_LIMIT_MS,
  );

  test(
    "SIGTERM while neither the runtime nor the API server is there ends the agent all the same",
    async () => {
      const agent = await node.agent();
      await node.api[Symbol.asyncDispose](); // and so this test is the last
      await node.lab.restart({ meanwhile: () => stopped(agent) });
      expect(hasLink(ifname)).toBe(true);
    },
    TEST_LIMIT_MS,
  );
});
