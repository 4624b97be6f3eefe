/** Edge mode against a real runtime: claims from files, pods that name them in an annotation. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { eventually } from "../fakes/eventually.ts";
import type { Agent } from "../lab/agent.ts";
import { HostLinks, hasLink, ip, uniqueName } from "../lab/links.ts";
import { refusal } from "../lab/refusal.ts";
import type { ContainerOptions, Pod, PodOptions } from "../lab/runtime/pods.ts";
import { StandaloneNode } from "../lab/standalone-node.ts";

const START_LIMIT_MS = 180_000; // the first start fetches packages
const TEST_LIMIT_MS = 60_000;
/** A pod that slipped through has its link this long after the agent is back, which itself takes a part of it. */
const LATE_LIMIT_MS = 2_000;
const CONFIG = { interface: { name: "net1", addresses: ["10.75.0.9/24"] } };

describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  let node: StandaloneNode;
  let agent: Agent;
  let links: HostLinks;
  let pods: Pod[];

  beforeAll(async () => {
    node = await StandaloneNode.start({ suite });
  }, START_LIMIT_MS);
  afterAll(() => node[Symbol.asyncDispose](), TEST_LIMIT_MS);
  beforeEach(async () => {
    links = new HostLinks();
    pods = [];
    node.clear();
    node.writeClass("v"); // the names that HostLinks gives
    agent = await node.agent();
  }, TEST_LIMIT_MS);
  afterEach(async () => {
    for (const pod of pods) await node.pods.stop(pod).then(() => node.pods.remove(pod));
    await node.stopAgents();
    links[Symbol.dispose]();
  }, TEST_LIMIT_MS);

  /** A link, and a claim for it that has its devices. */
  async function boundClaim(): Promise<{ readonly ifname: string; readonly name: string }> {
    const { ifname } = links.vethToPeer(["10.75.0.1/24"]);
    const name = uniqueName("claim");
    node.writeClaim({ name, ifname, config: CONFIG });
    await agent.logged((line) => line.message === "claim bound" && line["claim"] === `default/${name}`);
    return { ifname, name };
  }

  async function runPod(claims: string, options: Partial<PodOptions> = {}): Promise<Pod> {
    const pod = await node.pods.run({
      name: uniqueName("edge"),
      annotations: { "netferry.dev/claims": claims },
      ...options,
    });
    pods.push(pod);
    return pod;
  }

  async function endPod(pod: Pod): Promise<void> {
    pods = pods.filter((other) => other !== pod);
    await node.pods.stop(pod);
    await node.pods.remove(pod);
  }

  const launch = (pod: Pod, options: Partial<ContainerOptions> = {}) =>
    node.pods.launch(pod, { name: uniqueName("main"), ...options });
  const naming = (name: string) => ({ cdiDevices: [`netferry.dev/claim=${name}`] });

  async function hasNet1(containerId: string): Promise<boolean> {
    return (await node.pods.exec(containerId, "ip", "addr", "show", "net1")).stdout.includes("10.75.0.9/24");
  }

  async function inPod(pod: Pod): Promise<boolean> {
    const path = (await node.pods.netns(pod)) ?? "";
    const shown = Bun.spawnSync(["nsenter", `--net=${path}`, "ip", "addr", "show", "net1"]);
    return shown.stdout.toString().includes("10.75.0.9/24");
  }

  const claimsCondition = async () =>
    (await agent.readyz()).split("\n").find((line) => line.includes("claims:")) ?? "no condition";

  test(
    "a pod's containers have the link, whether they name the claim by CRI, by annotation or not at all",
    async () => {
      const { ifname, name } = await boundClaim();
      const pod = await runPod(name);
      const annotations = { "cdi.k8s.io/netferry": `netferry.dev/claim=${name}` };
      for (const options of [naming(name), { annotations }, {}])
        expect(await hasNet1(await launch(pod, options))).toBe(true);
      expect(await claimsCondition()).toContain("1 claims have their devices");
      await endPod(pod);
      expect(hasLink(ifname)).toBe(true);
      expect(await agent.metric("dranet_driver_receipts")).toBe(0);
      expect(await agent.metric("dranet_driver_held_namespaces")).toBe(0);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a container that names the claim is refused with the agent dead; the others' pod gets its link once it is back",
    async () => {
      const { ifname, name } = await boundClaim();
      await agent.kill();
      const pod = await runPod(name);
      expect(await refusal(launch(pod, naming(name)))).toContain("unresolvable CDI devices");
      const annotations = { "cdi.k8s.io/netferry": `netferry.dev/claim=${name}` };
      expect(await refusal(launch(pod, { annotations }))).toContain("unresolvable CDI devices");
      const bystander = await launch(pod);
      expect(await hasNet1(bystander)).toBe(false);

      const startedMs = performance.now();
      agent = await node.agent();
      await eventually("the pod has its link", () => hasNet1(bystander), LATE_LIMIT_MS);
      expect(performance.now() - startedMs).toBeLessThan(LATE_LIMIT_MS + 1_000);
      await agent.logged((line) => line.message.startsWith("device attached late") && line["device"] === ifname);
      expect(await agent.metric("dranet_driver_late_attaches_total")).toBe(1);
      expect(await hasNet1(await launch(pod, naming(name)))).toBe(true);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a binding survives a restart of the agent, with a pod and without",
    async () => {
      const first = links.vethToPeer().ifname;
      const name = uniqueName("any");
      node.writeClass(first.slice(0, -1));
      node.writeClaim({ name, config: CONFIG });
      await agent.logged((line) => line.message === "claim bound" && String(line["devices"]) === first);
      await agent.kill();
      // One that the allocator would rather take, were it to choose anew: it stands before the other in the order.
      const other = `${first.slice(0, -1)}!`;
      links.run(["link", "add", other, "type", "veth", "peer", "name", `${other}p`], ["link", "del", other]);
      agent = await node.agent();
      const pod = await runPod(name);
      const containerId = await launch(pod, naming(name));
      expect([hasLink(first), hasLink(other)]).toEqual([false, true]);

      await agent.kill();
      agent = await node.agent();
      expect(await hasNet1(containerId)).toBe(true);
      expect(await hasNet1(await launch(pod, naming(name)))).toBe(true);
      expect(await agent.metric("dranet_driver_late_attaches_total")).toBe(0);
      expect(agent.log.filter((line) => line.message === "claim bound")).toEqual([]);
      await endPod(pod);
      expect(hasLink(first)).toBe(true);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a file that does not parse: its line in the log and in /readyz, and its pods' containers are refused until it does",
    async () => {
      const { ifname } = links.vethToPeer();
      node.writeFile("broken.yaml", "apiVersion: resource.k8s.io/v1\nkind: [\n");
      const line = await agent.logged((at) => at.message === "claim file has a problem");
      expect(line).toMatchObject({ file: "broken.yaml", line: 3 });
      expect(await claimsCondition()).toContain(`broken.yaml:3 ${line["reason"]}`);
      const pod = await runPod("broken");
      const sentence = "ResourceClaim default/broken is in no file; it may be in one that has problems: broken.yaml:3";
      expect(await refusal(launch(pod))).toContain(sentence);
      expect(await refusal(launch(pod, naming("broken")))).toContain("unresolvable CDI devices");
      expect(agent.log.find((at) => at.message === "pod's claims cannot be met")).toMatchObject({
        pod: `default/${pod.name}`,
      });

      node.writeClaim({ name: "broken", ifname, config: CONFIG });
      await agent.logged((at) => at.message === "claim bound" && at["claim"] === "default/broken");
      expect(await hasNet1(await launch(pod))).toBe(true);
      expect(await hasNet1(await launch(pod, naming("broken")))).toBe(true);
      expect(await claimsCondition()).not.toContain("broken.yaml");
    },
    TEST_LIMIT_MS,
  );

  test(
    "a claim that cannot be met: the reason in the log, in /readyz and in the refusal, until a device comes",
    async () => {
      const ifname = uniqueName("v");
      const name = uniqueName("unmet");
      node.writeClaim({ name, ifname, config: CONFIG });
      const line = await agent.logged((at) => at.message === "claim is not served");
      expect(line).toMatchObject({ claim: `default/${name}` });
      const reason = String(line["reason"]);
      expect(reason).toMatch(/^request nic needs 1 device; of \d+ on this host 0 match and 0 of these are free$/);
      expect(await claimsCondition()).toContain(`claim default/${name}: request nic needs 1 device`);
      const pod = await runPod(name);
      expect(await refusal(launch(pod))).toContain(`ResourceClaim default/${name} has no devices: request nic needs`);
      expect(await refusal(launch(pod, naming(name)))).toContain("unresolvable CDI devices");

      links.run(["link", "add", ifname, "type", "veth", "peer", "name", `${ifname}p`], ["link", "del", ifname]);
      await agent.logged((at) => at.message === "claim bound" && at["claim"] === `default/${name}`);
      expect(await hasNet1(await launch(pod))).toBe(true);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a file that is removed while its claim is in use: said, the pod keeps its link, and the next pod is refused",
    async () => {
      const { ifname, name } = await boundClaim();
      const pod = await runPod(name);
      const containerId = await launch(pod, naming(name));
      node.removeFile(`${name}.yaml`);
      const line = await agent.logged((at) => at.message === "claim is not served");
      expect(line["reason"]).toContain("its file is gone, but a pod still has its devices");
      expect(await claimsCondition()).toContain(`claim default/${name}: its file is gone`);
      expect(await hasNet1(containerId)).toBe(true);
      expect(await hasNet1(await launch(pod, naming(name)))).toBe(true);
      await endPod(pod);
      await agent.logged((at) => at.message === "claim released" && at["claim"] === `default/${name}`);
      expect(hasLink(ifname)).toBe(true);
      const next = await runPod(name);
      expect(await refusal(launch(next))).toContain(`ResourceClaim default/${name} is in no file`);
    },
    TEST_LIMIT_MS,
  );

  test(
    "two pods that name the same claim: the second's containers are refused until the first has ended",
    async () => {
      const { name } = await boundClaim();
      const [first, second] = await Promise.all([runPod(name), runPod(name)]);
      const launched = await Promise.allSettled([launch(first), launch(second)]);
      const outcome = launched.map(({ status }) => status).toSorted();
      expect(outcome).toEqual(["fulfilled", "rejected"]);
      const [holder, waiter] = launched[0]?.status === "fulfilled" ? [first, second] : [second, first];
      expect(await refusal(launch(waiter))).toContain(
        `claim default/${name} is in use by pod default/${holder.name}: a network device is in one pod at a time`,
      );
      expect(await refusal(launch(waiter, naming(name)))).toContain("default/");
      await endPod(holder);
      expect(await hasNet1(await launch(waiter))).toBe(true);
      expect(await hasNet1(await launch(waiter, naming(name)))).toBe(true);
    },
    TEST_LIMIT_MS,
  );

  test(
    "two pods that name the same claim while the kernel is slow: no container is bare, and one pod has the link",
    async () => {
      await node.stopAgents();
      agent = await node.agent({ faults: "slow:kernel.snapshotLink:2500" });
      const { name } = await boundClaim();
      const both = await Promise.all([runPod(name), runPod(name)]);
      const launched = await Promise.allSettled(both.map((pod) => launch(pod)));
      for (const result of launched) if (result.status === "fulfilled") expect(await hasNet1(result.value)).toBe(true);
      const holders = async () => {
        const has = await Promise.all(both.map(inPod));
        return both.filter((_, index) => has[index]);
      };
      await eventually("a pod has the link", async () => (await holders()).length > 0, 20_000);
      const [holder, ...others] = await holders();
      expect(others).toEqual([]);
      for (const pod of both)
        if (pod === holder) expect(await hasNet1(await launch(pod))).toBe(true);
        else expect(await refusal(launch(pod))).toContain(`is in use by pod default/${holder?.name}`);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a pod in the host's network, a name that is none, and a claim of another namespace are refused",
    async () => {
      const { ifname, name } = await boundClaim();
      const inHost = await runPod(name, { hostNetwork: true });
      expect(await refusal(launch(inHost))).toContain(
        "uses the host's network, where only character devices can be given to it",
      );
      const misspelt = await runPod("Not A Name");
      expect(await refusal(launch(misspelt))).toContain(
        '"Not A Name" is not the name of a claim; write name or name,name',
      );
      const foreign = await runPod(name, { namespace: "team" });
      expect(await refusal(launch(foreign))).toContain(`ResourceClaim team/${name} is in no file`);
      expect(hasLink(ifname)).toBe(true);
      const twoClaims = [name, (await boundClaim()).name];
      expect(await refusal(launch(await runPod(twoClaims.join(","))))).toContain("net1");
    },
    TEST_LIMIT_MS,
  );

  test(
    "the annotation of a pod without claims, and pods without it, are nobody's business",
    async () => {
      const pod = await runPod("", { annotations: { "example.com/claims": "x" } });
      const containerId = await launch(pod);
      expect((await node.pods.exec(containerId, "ip", "link")).stdout).not.toContain("net1");
      expect(ip("link")).not.toContain("net1@");
    },
    TEST_LIMIT_MS,
  );
});
