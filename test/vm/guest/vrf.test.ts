/** Runs in an emulated machine, whose kernel has VRFs: links of pods in VRFs, from the claim to a packet that is routed. */

import { expect, test } from "bun:test";
import { eventually } from "../../fakes/eventually.ts";
import { guestNodeForTests } from "../../lab/guest-node.ts";
import { expectHostState, type HostState, hostState } from "../../lab/host-state.ts";
import { hasLink, ip } from "../../lab/links.ts";
import { refusal } from "../../lab/refusal.ts";
import type { Pod } from "../../lab/runtime/pods.ts";

const lab = guestNodeForTests();

/** A cable between two pods to be. */
function cable(one: string, other: string): void {
  lab.links.run(["link", "add", one, "type", "veth", "peer", "name", other], ["link", "del", one]);
  for (const end of [one, other]) ip("link", "set", end, "up");
}

interface RunningPod {
  readonly pod: Pod;
  inPod(...command: string[]): string;
  end(): Promise<void>;
}

async function startPod(name: string, interfaces: Readonly<Record<string, object>>): Promise<RunningPod> {
  const claim = lab.node.claim(name, {
    devices: Object.fromEntries(Object.keys(interfaces).map((ifname) => [`req-${ifname}`, ifname])),
    configs: Object.fromEntries(Object.entries(interfaces).map(([ifname, config]) => [`req-${ifname}`, config])),
  });
  const { pod } = await lab.node.kubelet.startPod({ name, uid: claim.podUid, claims: [claim] });
  const netns = (await lab.node.pods.netns(pod)) ?? "";
  return {
    pod,
    inPod: (...command) => {
      const { stdout, stderr } = Bun.spawnSync(["nsenter", `--net=${netns}`, ...command]);
      return stdout.toString() + stderr.toString();
    },
    end: () => lab.node.kubelet.endPod(pod, [claim]),
  };
}

function pings(pod: RunningPod, ...args: string[]): Promise<void> {
  return eventually(`${args.at(-1)} answers`, () =>
    pod.inPod("ping", "-c", "1", "-W", "2", ...args).includes(" 0% packet loss"),
  );
}

/** The kernel gives a link another index where a pod's own link has its. */
function withoutIndex(state: HostState): unknown {
  return { ...state, link: { ...(state.link as object), ifindex: undefined } };
}

const vrf = { name: "test-vrf" };

test("three pods route through their VRFs, and the links come home as they were", async () => {
  cable("vrf-pod-1", "vrf-rtr-1");
  cable("vrf-pod-2", "vrf-rtr-2");
  const names = ["vrf-pod-1", "vrf-rtr-1", "vrf-pod-2", "vrf-rtr-2"];
  await eventually("no address is tentative", () => !ip("addr").includes("tentative"));
  const before = names.map(hostState);
  const agent = await lab.node.agent();
  const pods = [
    await startPod("pod-1", {
      "vrf-pod-1": {
        interface: { name: "eth1", addresses: ["10.10.10.1/24"], vrf },
        routes: [{ destination: "0.0.0.0/0", gateway: "10.10.10.2" }],
      },
    }),
    await startPod("router", {
      "vrf-rtr-1": { interface: { name: "eth1", addresses: ["10.10.10.2/24"], forwarding: true, vrf } },
      "vrf-rtr-2": { interface: { name: "eth2", addresses: ["10.10.20.2/24"], forwarding: true, vrf } },
    }),
    await startPod("pod-2", {
      "vrf-pod-2": {
        interface: { name: "eth1", addresses: ["10.10.20.1/24"], vrf },
        routes: [{ destination: "0.0.0.0/0", gateway: "10.10.20.2" }],
      },
    }),
  ];
  const [first, router] = pods;
  if (first === undefined || router === undefined) throw new Error("no pods");
  await pings(first, "-I", "test-vrf", "10.10.20.1");
  const table = /vrf table (\d+)/.exec(router.inPod("ip", "-d", "link", "show", "test-vrf"))?.[1];
  // 1000 + FNV-1a of "test-vrf" modulo 1000.
  expect(table).toBe("1890");
  expect(first.inPod("ip", "route", "show", "vrf", "test-vrf")).toContain("default via 10.10.10.2 dev eth1");
  expect(first.inPod("ip", "route", "show", "table", "main")).not.toContain("eth1");
  for (const name of ["eth1", "eth2"]) expect(router.inPod("ip", "link", "show", name)).toContain("master test-vrf");
  const sysctl = (key: string) => router.inPod("cat", `/proc/sys/net/ipv4/${key}`).trim();
  expect([sysctl("tcp_l3mdev_accept"), sysctl("udp_l3mdev_accept")]).toEqual(["1", "1"]);
  for (const pod of pods) await pod.end();
  for (const [at, name] of names.entries()) {
    await eventually(`${name} is home`, () => hasLink(name));
    const state = before[at];
    if (state !== undefined) await expectHostState(name, state, withoutIndex);
  }
  expect(hasLink("test-vrf")).toBe(false);
  expect(agent.log.filter(({ message }) => message.includes("what the pod put on the link"))).toEqual([]);
});

test("a link takes its own routes and addresses into the VRF", async () => {
  cable("own0", "own1");
  ip("addr", "add", "10.1.0.5/24", "dev", "own0");
  ip("addr", "add", "fd01::5/64", "dev", "own0", "nodad");
  ip("route", "add", "10.2.0.0/16", "via", "10.1.0.1", "dev", "own0", "metric", "7");
  ip("-6", "route", "add", "fd02::/64", "via", "fd01::1", "dev", "own0", "table", "77");
  await lab.node.agent();
  const pod = await startPod("own", { own0: { interface: { vrf: { name: "blue", table: 4711 } } } });
  expect(pod.inPod("ip", "route", "show", "table", "4711")).toContain("10.2.0.0/16 via 10.1.0.1 dev own0 metric 7");
  expect(pod.inPod("ip", "-6", "route", "show", "table", "4711")).toContain("fd02::/64 via fd01::1 dev own0");
  expect(pod.inPod("ip", "-6", "route", "show", "table", "4711")).toContain("fd01::/64 dev own0 proto kernel");
  expect(pod.inPod("ip", "-6", "route", "show", "table", "77")).not.toContain("fd02");
  await pod.end();
});

test("a link whose pod died while the agent was away comes home without its VRF", async () => {
  lab.links.run(["link", "add", "mv0p", "type", "dummy"], ["link", "del", "mv0p"]);
  ip("link", "set", "mv0p", "up");
  lab.links.run(["link", "add", "mv0", "link", "mv0p", "type", "macvlan"], ["link", "del", "mv0"]);
  const first = await lab.node.agent();
  const pod = await startPod("dying", { mv0: { interface: { name: "net1", vrf } } });
  await first.kill();
  await lab.node.pods.stop(pod.pod);
  await lab.node.agent();
  await eventually("mv0 is there again", () => hasLink("mv0"));
  expect(ip("link", "show", "mv0")).not.toContain("master");
  await pod.end();
});

test("VRFs of one pod that would share a table are refused, and so is a name that the pod has given away", async () => {
  cable("col0", "col1");
  cable("col2", "col3");
  const agent = await lab.node.agent();
  const claim = lab.node.claim("collision", {
    devices: { a: "col0", b: "col2" },
    // Both are 562 modulo 1000.
    configs: { a: { interface: { vrf: { name: "v38" } } }, b: { interface: { vrf: { name: "v52" } } } },
  });
  expect(await refusal(lab.node.kubelet.prepare(claim))).toContain(
    "VRF v38 of device col0 and VRF v52 of device col2 would both have routing table 1562",
  );
  const taken = lab.node.claim("taken", {
    devices: "col0",
    config: { interface: { name: "net1", vrf: { name: "eth0" } } },
  });
  await lab.node.kubelet.prepare(taken);
  const pod = await lab.node.pods.run({ name: "taken", uid: taken.podUid });
  const line = await agent.logged((at) => at.message === "attach failed");
  expect(JSON.stringify(line)).toContain("eth0 is to be a VRF, but the pod has another link of that name (veth)");
  await eventually("col0 is home", () => hasLink("col0"));
  await lab.node.kubelet.endPod(pod, [taken]);
});
