/**
 * Runs in an emulated machine. Hardware, and links of the kinds that few machines' kernels have, go into their pods and
 * come home as they were, also when the namespace died while the agent was away.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../../fakes/eventually.ts";
import { guestNodeForTests } from "../../lab/guest-node.ts";
import { expectHostState, type HostState, hostState } from "../../lab/host-state.ts";
import { deviceName, igbPorts, nameLink, setVfs } from "../../lab/igb.ts";
import { hasLink, ip, ipJson, uniqueName } from "../../lab/links.ts";
import type { Pod } from "../../lab/runtime/pods.ts";

const ADDRESS = "10.71.0.9/24";
const PEER = "10.71.0.1";

const lab = guestNodeForTests();

/** What a link of a host may have. */
async function giveState(ifname: string): Promise<HostState> {
  ip("link", "set", ifname, "mtu", "1400", "txqueuelen", "555", "alias", "spare", "up");
  ip("link", "property", "add", "dev", ifname, "altname", `${ifname}-alt`);
  ip("addr", "add", "10.71.0.5/24", "dev", ifname);
  ip("addr", "add", "fd71::5/64", "dev", ifname, "nodad");
  ip("route", "add", "10.72.0.0/16", "via", PEER, "dev", ifname, "metric", "77");
  await settled(ifname);
  return hostState(ifname);
}

/** A port has its carrier a while after it is up; so have its addresses. */
function settled(ifname: string): Promise<void> {
  return eventually(`${ifname} has settled`, () => {
    const [link] = ipJson("addr", "show", "dev", ifname) as { operstate: string; flags: string[] }[];
    return !link?.flags.includes("NO-CARRIER") && !ip("addr", "show", "dev", ifname).includes("tentative");
  });
}

async function startPod(device: string): Promise<{ pod: Pod; end: () => Promise<void>; containerId: string }> {
  const config = { interface: { name: "net1", addresses: [ADDRESS] } };
  const claim = lab.node.claim(uniqueName("c"), { devices: device, config });
  const { pod, containerId } = await lab.node.kubelet.startPod({
    name: claim.name,
    uid: claim.podUid,
    claims: [claim],
  });
  return { pod, containerId, end: () => lab.node.kubelet.endPod(pod, [claim]) };
}

async function inPod(containerId: string, ...command: string[]): Promise<string> {
  return (await lab.node.pods.exec(containerId, ...command)).stdout;
}

/** The kernel numbers a link that is made anew anew, and a VF that is reset draws a permanent address anew. */
function withoutIndex(state: HostState): unknown {
  const isChance = (key: string) => key === "ifindex" || key === "permaddr";
  return JSON.parse(JSON.stringify(state, (key, value) => (isChance(key) ? undefined : value)));
}

describe("a virtual link", () => {
  const KINDS: Readonly<Record<string, readonly string[]>> = {
    dummy: [],
    vlan: ["id", "5"],
    macvlan: ["mode", "bridge"],
    ipvlan: ["mode", "l2"],
  };

  function make(kind: string): string {
    const ifname = uniqueName(kind.slice(0, 2));
    const parent = `${ifname}p`;
    lab.links.run(["link", "add", parent, "type", "dummy"], ["link", "del", parent]);
    ip("link", "set", parent, "up");
    const upper = kind === "dummy" ? [] : ["link", parent];
    lab.links.run(
      ["link", "add", ...upper, "name", ifname, "type", kind, ...(KINDS[kind] ?? [])],
      ["link", "del", ifname],
    );
    return ifname;
  }

  test.each(Object.keys(KINDS))("%s goes into its pod and comes home as it was", async (kind) => {
    const ifname = make(kind);
    const before = await giveState(ifname);
    await lab.node.agent();
    const { containerId, end } = await startPod(ifname);
    expect(await inPod(containerId, "ip", "addr", "show", "net1")).toContain(ADDRESS);
    expect(hasLink(ifname)).toBe(false);
    await end();
    await expectHostState(ifname, before, withoutIndex);
  });

  test.each(Object.keys(KINDS))("%s that died with its pod while the agent was away is made anew", async (kind) => {
    const ifname = make(kind);
    const before = await giveState(ifname);
    const first = await lab.node.agent();
    const { pod, end } = await startPod(ifname);
    await first.kill();
    await lab.node.pods.stop(pod);
    expect(hasLink(ifname)).toBe(false);
    const agent = await lab.node.agent();
    await eventually(`${ifname} is there again`, () => hasLink(ifname)).catch((error: unknown) => {
      throw new Error(`${error}${agent.tail()}`);
    });
    await expectHostState(ifname, before, withoutIndex);
    await end();
  });
});

describe("a port", () => {
  const [port = "", peer = ""] = igbPorts();

  beforeAll(async () => {
    await nameLink(port, "port0");
    await nameLink(peer, "port1");
    ip("netns", "add", "peer");
    ip("link", "set", "port1", "netns", "peer");
    ip("-n", "peer", "addr", "add", `${PEER}/24`, "dev", "port1");
    ip("-n", "peer", "link", "set", "port1", "up");
  });
  afterAll(() => ip("netns", "del", "peer"));
  afterEach(async () => {
    await nameLink(port, "port0");
    ip("link", "set", "port0", "down", "mtu", "1500", "alias", "");
    ip("addr", "flush", "dev", "port0");
    Bun.spawnSync(["ip", "link", "property", "del", "dev", "port0", "altname", "port0-alt"]); // not all tests give it one
  });

  test("goes into its pod, reaches its peer there, and comes home as it was", async () => {
    const before = await giveState("port0");
    await lab.node.agent();
    const { containerId, end } = await startPod(deviceName(port));
    await eventually("the peer answers", async () =>
      (await inPod(containerId, "ping", "-c", "1", "-W", "2", PEER)).includes(" 0% packet loss"),
    );
    await end();
    await expectHostState("port0", before, withoutIndex);
  });

  test("whose pod died while the agent was away is found by its bus address and gets its state back", async () => {
    const before = await giveState("port0");
    const first = await lab.node.agent();
    const { pod, end } = await startPod(deviceName(port));
    await first.kill();
    await lab.node.pods.stop(pod);
    // The kernel brings hardware home by itself: under the pod's name, down, without addresses.
    await eventually("the port is back under the pod's name", () => hasLink("net1"));
    const [returned] = ipJson("addr", "show", "dev", "net1") as { operstate: string; addr_info: unknown[] }[];
    expect(returned).toMatchObject({ operstate: "DOWN", addr_info: [] });
    await lab.node.agent();
    await eventually("the port has its name", () => hasLink("port0"));
    await expectHostState("port0", before, withoutIndex);
    await end();
  });

  test("that comes home where its pod's name is taken gets its own name back all the same", async () => {
    const before = await giveState("port0");
    const first = await lab.node.agent();
    const { pod, end } = await startPod(deviceName(port));
    await first.kill();
    lab.links.run(["link", "add", "net1", "type", "dummy"], ["link", "del", "net1"]);
    await lab.node.pods.stop(pod);
    await eventually("the kernel has given it a name of its own", () => ip("link").match(/ dev\d+: /) !== null);
    await lab.node.agent();
    await eventually("the port has its name", () => hasLink("port0"));
    await expectHostState("port0", before, withoutIndex);
    await end();
  });

  test("its VF goes into a pod and comes home, also when the pod died while the agent was away", async () => {
    const [vf = ""] = setVfs(port, 1);
    try {
      Bun.spawnSync(["modprobe", "igbvf"]);
      await nameLink(vf, "vf0");
      ip("link", "set", "port0", "up");
      const before = await giveState("vf0");
      const first = await lab.node.agent();
      const alive = await startPod(deviceName(vf));
      await eventually("the peer answers", async () =>
        (await inPod(alive.containerId, "ping", "-c", "1", "-W", "2", PEER)).includes(" 0% packet loss"),
      );
      await alive.end();
      await expectHostState("vf0", before, withoutIndex);

      const dying = await startPod(deviceName(vf));
      await first.kill();
      await lab.node.pods.stop(dying.pod);
      await eventually("the VF is back under the pod's name", () => hasLink("net1"));
      await lab.node.agent();
      await eventually("the VF has its name", () => hasLink("vf0"));
      await expectHostState("vf0", before, withoutIndex);
      await dying.end();
    } finally {
      setVfs(port, 0);
    }
  });
});
