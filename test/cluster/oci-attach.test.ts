/**
 * `--attach=oci` on the newest containerd and a runc that knows `linux.netDevices`: the runtime moves the link. What it
 * does not do is why netlink is the default (docs/adr/0004-netlink-moves-links.md).
 */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Agent } from "../lab/agent.ts";
import { build } from "../lab/cluster/build.ts";
import { containerdModule } from "../lab/cluster/modules.ts";
import { expectHostState, hostState } from "../lab/host-state.ts";
import { HostLinks, hasLink, ip, ipJson, uniqueName } from "../lab/links.ts";
import { TestNode } from "../lab/node.ts";
import { refusal } from "../lab/refusal.ts";
import type { OciRuntime } from "../lab/runtime/oci-runtimes.ts";

/** With a first build of containerd. */
const START_LIMIT_MS = 20 * 60_000;
const TEST_LIMIT_MS = 120_000;

async function startNode(runtime: OciRuntime): Promise<TestNode> {
  const built = await build(containerdModule(), (line) => console.log(line));
  return TestNode.start({ suite: "sid", runtime, build: { bin: built.bin, version: built.version.replace(/^v/, "") } });
}

describe("with a runc that moves links", () => {
  let node: TestNode;
  let agent: Agent;
  let links: HostLinks;

  beforeAll(async () => {
    node = await startNode("runc143");
    agent = await node.agent({ args: ["--attach=oci"] });
  }, START_LIMIT_MS);
  afterAll(() => node[Symbol.asyncDispose](), TEST_LIMIT_MS);
  beforeEach(() => {
    links = new HostLinks();
  });
  afterEach(() => links[Symbol.dispose]());

  const linksOf = (pid: string) =>
    JSON.parse(Bun.spawnSync(["nsenter", `--net=${pid}`, "ip", "-j", "addr"]).stdout.toString()) as {
      ifname: string;
      operstate: string;
      addr_info: { local: string }[];
    }[];

  test(
    "the first container brings the link into the pod, up, with its name and IPv4 address; later ones find it there",
    async () => {
      const { ifname } = links.vethToPeer(["10.77.0.1/24"]);
      ip("addr", "add", "10.77.0.5/24", "dev", ifname);
      ip("link", "set", ifname, "up", "mtu", "1400");
      ip("route", "add", "10.78.0.0/16", "via", "10.77.0.1", "dev", ifname);
      const before = hostState(ifname);
      const claim = node.claim(uniqueName("oci"), { devices: ifname, config: { interface: { name: "net1" } } });
      const cdiDevices = (await node.kubelet.prepare(claim)).flatMap((device) => device.cdiDeviceIds);
      const pod = await node.pods.run({ name: claim.name, uid: claim.podUid });
      const netns = (await node.pods.netns(pod)) ?? "";
      // Per container and not per pod: the sandbox alone has nothing.
      expect(hasLink(ifname)).toBe(true);
      expect(linksOf(netns).map((link) => link.ifname)).not.toContain("net1");

      const first = await node.pods.launch(pod, { name: "main", cdiDevices });
      expect(hasLink(ifname)).toBe(false);
      const inPod = linksOf(netns).find((link) => link.ifname === "net1");
      expect(inPod?.operstate).toBe("UP");
      expect(inPod?.addr_info.map(({ local }) => local)).toContain("10.77.0.5");
      expect((await node.pods.exec(first, "ping", "-c1", "-w5", "10.77.0.1")).exitCode).toBe(0);
      // No configuration: the route that the link had stays behind.
      expect((await node.pods.exec(first, "ip", "route")).stdout).not.toContain("10.78.0.0");

      const second = await node.pods.launch(pod, { name: "second", cdiDevices });
      expect((await node.pods.exec(second, "ip", "link", "show", "net1")).exitCode).toBe(0);

      // No restore by the runtime: that is netferry's own, as with netlink.
      await node.kubelet.endPod(pod, [claim]);
      await expectHostState(ifname, before);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a pod without a container never has the link, and gives it back as it was",
    async () => {
      const { ifname } = links.vethToPeer();
      const before = hostState(ifname);
      const claim = node.claim(uniqueName("oci"), { devices: ifname, config: { interface: { name: "net1" } } });
      await node.kubelet.prepare(claim);
      const pod = await node.pods.run({ name: claim.name, uid: claim.podUid });
      expect(hasLink(ifname)).toBe(true);
      await node.kubelet.endPod(pod, [claim]);
      await expectHostState(ifname, before);
    },
    TEST_LIMIT_MS,
  );

  test(
    "another netferry than the one that gave the link away brings it home",
    async () => {
      const { ifname } = links.vethToPeer();
      const claim = node.claim(uniqueName("oci"), { devices: ifname, config: { interface: { name: "net1" } } });
      const { pod } = await node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
      await agent.kill();
      agent = await node.agent({ args: ["--attach=oci"] });
      expect(hasLink(ifname)).toBe(false);
      await node.kubelet.endPod(pod, [claim]);
      expect(hasLink(ifname)).toBe(true);
    },
    TEST_LIMIT_MS,
  );

  test(
    "Prepare refuses what the runtime cannot do, by name, and changes nothing",
    async () => {
      const { ifname } = links.vethToPeer();
      const before = ipJson("addr", "show", "dev", ifname);
      const interfaceConfig = { name: "net1", addresses: ["10.77.0.9/24"], mtu: 1400 };
      const routes = [{ destination: "10.79.0.0/16", gateway: "10.77.0.1" }];
      const config = { interface: interfaceConfig, routes };
      const claim = node.claim(uniqueName("oci"), { devices: ifname, config });
      const sentence = await node.kubelet.prepare(claim).catch(String);
      expect(sentence).toContain("interface.addresses, interface.mtu, routes cannot be had with --attach=oci");
      expect(ipJson("addr", "show", "dev", ifname)).toEqual(before);
      expect(await agent.readyz()).toContain("[+] attach: the OCI runtime moves links");
    },
    TEST_LIMIT_MS,
  );
});

test(
  "a runc that ignores linux.netDevices starts no container that names its claim",
  async () => {
    await using node = await startNode("runc");
    await node.agent({ args: ["--attach=oci"] });
    using links = new HostLinks();
    const { ifname } = links.vethToPeer();
    const claim = node.claim(uniqueName("oci"), { devices: ifname, config: { interface: { name: "net1" } } });
    const cdiDevices = (await node.kubelet.prepare(claim)).flatMap((device) => device.cdiDeviceIds);
    const pod = await node.pods.run({ name: claim.name, uid: claim.podUid });
    const sentence = await refusal(node.pods.launch(pod, { name: "main", cdiDevices }));
    expect(sentence).toContain("/proc/sys/net/ipv4/conf/net1/forwarding");
    expect(hasLink(ifname)).toBe(true);
    await node.kubelet.endPod(pod, [claim]);
  },
  START_LIMIT_MS,
);

test(
  "where the runtime's NRI has no LinuxNetDevice, /readyz says so and Prepare refuses claims",
  async () => {
    await using node = await TestNode.start({ suite: "sid" });
    const agent = await node.agent({ args: ["--attach=oci"], waits: false });
    await agent.logged((line) => line.message === "registered with the runtime");
    await node.kubelet.register("dra.net");
    using links = new HostLinks();
    const claim = node.claim(uniqueName("oci"), { devices: links.vethToPeer().ifname });
    const sentence = await node.kubelet.prepare(claim).catch(String);
    expect(sentence).toMatch(/containerd \S+ moves no links at the word of an NRI plugin/);
    expect(await agent.readyz()).toMatch(
      /^\[-\] attach: --attach=oci: containerd .* run netferry with --attach=netlink/m,
    );
  },
  START_LIMIT_MS,
);
