/** What pods do to their links beyond addresses: nothing of it comes home, and nothing that the host had goes unsaid. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { loadProgram } from "../../ffi/bpf-testing.ts";
import { inNetns } from "../../ffi/netns.ts";
import { listTcx } from "../../src/netlink/tcx.ts";
import { SLICES } from "../fakes/api-server.ts";
import { eventually } from "../fakes/eventually.ts";
import type { Agent } from "../lab/agent.ts";
import { ClaimLife, settled } from "../lab/claim-life.ts";
import { expectHostState, hostState } from "../lab/host-state.ts";
import { hasLink, ip, ipJson, uniqueName } from "../lab/links.ts";
import { run } from "../lab/netns.ts";
import { TestNode } from "../lab/node.ts";
import { addTcProgram, addTcx, addXdp, linkTcx, linkXdp } from "../lab/programs.ts";

const START_LIMIT_MS = 180_000;
const TEST_LIMIT_MS = 60_000;
const HOST_NETNS = "/proc/self/ns/net";

/** A namespace by its file, open until the end of the scope. */
class OpenNetns implements Disposable {
  readonly path: string;
  readonly fd: number;

  constructor(path: string) {
    this.path = path;
    this.fd = openSync(path, "r");
  }

  exec(...command: readonly string[]): string {
    return run(["nsenter", `--net=${this.path}`, ...command]);
  }

  indexOf(ifname: string): number {
    return JSON.parse(this.exec("ip", "-j", "link", "show", "dev", ifname))[0].ifindex;
  }

  tcxNames(ifname: string): readonly string[] {
    return inNetns(this.fd, () => listTcx(this.indexOf(ifname))).map(({ name }) => name);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

function features(netns: OpenNetns, ifname: string): readonly string[] {
  return netns.exec("ethtool", "-k", ifname).split("\n").slice(1);
}

describe("a link that a pod has worked on", () => {
  let node: TestNode;
  let host: OpenNetns;

  beforeAll(async () => {
    node = await TestNode.start({ suite: "sid" });
    host = new OpenNetns(HOST_NETNS);
  }, START_LIMIT_MS);
  afterAll(async () => {
    host[Symbol.dispose]();
    await node[Symbol.asyncDispose]();
  }, TEST_LIMIT_MS);

  const published = (device: string) =>
    node.api.store
      .list(SLICES)
      .flatMap((slice) => slice.spec?.["devices"] as { name: string; attributes: Record<string, unknown> }[])
      .find(({ name }) => name === device)?.attributes;

  const podNetns = async (pod: Parameters<typeof node.pods.netns>[0]) =>
    new OpenNetns((await node.pods.netns(pod)) ?? "");

  /** A veth end with settings and programs of the host's own. */
  function device(life: ClaimLife): string {
    const { ifname } = life.links.vethToPeer(["10.73.0.1/24"]);
    ip("addr", "add", "10.73.0.5/24", "dev", ifname);
    ip("link", "set", ifname, "up");
    run(["ethtool", "-K", ifname, "tso", "off"]);
    addTcx(host.fd, host.indexOf(ifname), "ingress", "host_program");
    return ifname;
  }

  /** Programs of all kinds, a child that stands on it, another feature; the answer holds the programs' links. */
  function meddle(pod: OpenNetns, ifname: string): Disposable {
    using held = new DisposableStack();
    const ifindex = pod.indexOf(ifname);
    addTcx(pod.fd, ifindex, "ingress", "pod_program");
    held.use(linkTcx(pod.fd, ifindex, "egress", "pod_linked"));
    using program = loadProgram("xdp", "pod_xdp");
    held.use(linkXdp(pod.fd, ifindex, program));
    pod.exec("tc", "qdisc", "add", "dev", ifname, "clsact");
    addTcProgram(pod.fd, ifindex, "ingress", "pod.o:[tc]");
    pod.exec("ip", "link", "add", "link", ifname, "name", "child", "type", "macvlan");
    pod.exec("ethtool", "-K", ifname, "tso", "on", "rx", "off");
    return held.move();
  }

  async function expectClean(ifname: string, before: ReturnType<typeof hostState>, was: readonly string[]) {
    await eventually(`${ifname} is home`, () => hasLink(ifname));
    await expectHostState(ifname, before);
    expect(features(host, ifname)).toEqual([...was]);
    expect(host.tcxNames(ifname)).toEqual(["host_program"]);
    expect(run(["tc", "qdisc", "show", "dev", ifname])).not.toContain("clsact");
    expect((ipJson("-d", "link", "show", "dev", ifname)[0] as { xdp?: unknown }).xdp).toBeUndefined();
    expect(hasLink("child")).toBe(false);
  }

  test(
    "comes home without programs, children and settings of the pod's, with those of the host's",
    async () => {
      await using life = new ClaimLife(node);
      const agent = await node.agent();
      const ifname = device(life);
      await settled(ifname);
      const [before, was] = [hostState(ifname), features(host, ifname)];
      await eventually("its program is published", () => published(ifname)?.["dra.net/tcxProgramNames"] !== undefined);
      expect(published(ifname)).toMatchObject({
        "dra.net/ebpf": { bool: true },
        "dra.net/tcxProgramNames": { string: "host_program" },
      });
      const config = { interface: { name: "net1" }, ethtool: { features: { gro: true } } };
      const claim = node.claim(uniqueName("clean"), { devices: ifname, config });
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      await life.launch(pod, "main", claim);
      {
        using netns = await podNetns(pod);
        expect(features(netns, "net1")).toContain("generic-receive-offload: on");
        using _held = meddle(netns, "net1");
        await life.endPod(pod, claim);
      }
      await expectClean(ifname, before, was);
      const line = await agent.logged((at) => at.message === "what the pod put on the link was taken off");
      expect(line["removed"]).toEqual([
        "macvlan child",
        expect.stringMatching(/^XDP program \d+$/),
        "TCX ingress program pod_program",
        "TCX egress program pod_linked",
        "tc program pod.o:[tc]",
      ]);
      expect(complaints(agent)).toEqual([]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "comes home clean when the agent is killed after it has cleared the link",
    async () => {
      await using life = new ClaimLife(node);
      const first = await node.agent({ faults: "kill:detach.cleared" });
      const ifname = device(life);
      await settled(ifname);
      const [before, was] = [hostState(ifname), features(host, ifname)];
      const claim = node.claim(uniqueName("clean"), { devices: ifname, config: { interface: { name: "net1" } } });
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      await life.launch(pod, "main", claim);
      using netns = await podNetns(pod);
      using _held = meddle(netns, "net1");
      // While the namespace still stands: with it the veth would be gone.
      const unprepared = node.kubelet.unprepare(claim).catch(() => undefined);
      await first.died();
      await unprepared;
      await node.agent();
      await node.kubelet.unprepare(claim);
      await expectClean(ifname, before, was);
    },
    TEST_LIMIT_MS,
  );

  test(
    "has no programs in the pod when the claim wants none, and what that costs the host is said",
    async () => {
      await using life = new ClaimLife(node);
      const agent = await node.agent();
      const ifname = device(life);
      addXdp(host.fd, host.indexOf(ifname), "host_xdp", 2);
      run(["tc", "qdisc", "add", "dev", ifname, "clsact"]);
      addTcProgram(host.fd, host.indexOf(ifname), "egress", "host.o:[tc]");
      await eventually(`${ifname} is published`, () => published(ifname)?.["dra.net/tcFilterNames"] !== undefined);
      expect(published(ifname)).toMatchObject({ "dra.net/tcFilterNames": { string: "host.o:[tc]" } });
      const config = { interface: { name: "net1", disableEbpfPrograms: true } };
      const claim = node.claim(uniqueName("bare"), { devices: ifname, config });
      await node.kubelet.prepare(claim);
      const pod = await life.runPod(claim);
      await life.launch(pod, "main", claim);
      {
        using netns = await podNetns(pod);
        expect(netns.tcxNames("net1")).toEqual([]);
        expect(JSON.parse(netns.exec("ip", "-d", "-j", "link", "show", "net1"))[0].xdp).toBeUndefined();
      }
      await life.endPod(pod, claim);
      await eventually(`${ifname} is home`, () => hasLink(ifname));
      await agent.logged((at) => String(at["problem"]).startsWith("its XDP program"));
      expect(complaints(agent)).toEqual([
        "its queueing discipline clsact is gone, as a link loses it when it moves",
        "its tc filters bpf host.o:[tc] are gone, as a link loses them when it moves",
        "its TCX ingress program host_program was detached",
        expect.stringMatching(/^its XDP program \d+ was detached$/),
      ]);
    },
    TEST_LIMIT_MS,
  );
});

function complaints(agent: Agent): readonly unknown[] {
  return agent.log.filter(({ problem }) => problem !== undefined).map(({ problem }) => problem);
}
