/** A claim that asks for a child of the device: the pod gets a macvlan, the device stays, and nothing is left behind. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { eventually } from "../fakes/eventually.ts";
import type { Agent } from "../lab/agent.ts";
import { LATE_LIMIT_MS, settled } from "../lab/claim-life.ts";
import { expectHostState, type HostState, hostState } from "../lab/host-state.ts";
import { ip, ipJson, uniqueName } from "../lab/links.ts";
import type { ClaimOptions } from "../lab/node.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";
import { refusal } from "../lab/refusal.ts";
import type { ClaimRef } from "../lab/runtime/kubelet.ts";
import type { Pod } from "../lab/runtime/pods.ts";

const TEST_LIMIT_MS = 60_000;
const PEER = "10.91.0.1";
const ADDRESS = "10.91.0.9/24";

const at = nodeForTests();

type Claim = ClaimRef & { readonly podUid: string };

/** A device with an address and a route of its own, whose other end answers. */
async function parent(): Promise<{ readonly ifname: string; readonly before: HostState }> {
  const { ifname } = at.links.vethToPeer([`${PEER}/24`]);
  ip("link", "set", ifname, "mtu", "1450", "up");
  ip("addr", "add", "10.91.0.5/24", "dev", ifname);
  ip("route", "add", "10.92.0.0/16", "via", PEER, "dev", ifname);
  await settled(ifname);
  return { ifname, before: hostState(ifname) };
}

function claim(ifname: string, link: object = {}, options: Partial<ClaimOptions> = {}): Claim {
  const config = { interface: { type: "MACVLAN", name: "net1", addresses: [ADDRESS], ...link } };
  return at.node.claim(uniqueName("child"), { devices: ifname, config, ...options });
}

function run(claim: Claim): Promise<Pod> {
  return at.node.pods.run({ name: claim.name, uid: claim.podUid });
}

function launch(pod: Pod, name: string, claim: Claim): Promise<string> {
  return at.node.pods.launch(pod, { name, cdiDevices: [`netferry.dev/dra.net=${claim.uid}-nic`] });
}

/** What `ip` says of a link in the pod's namespace, whether or not a container runs; empty where it is not there. */
async function shown(pod: Pod, ifname = "net1"): Promise<string> {
  const path = (await at.node.pods.netns(pod)) ?? "";
  return Bun.spawnSync(["nsenter", `--net=${path}`, "ip", "-d", "addr", "show", ifname]).stdout.toString();
}

/** Names of the links on the host that stand on this one. */
function childrenOnHost(ifname: string): readonly string[] {
  const all = ipJson("link", "show") as { ifname: string; link?: string }[];
  return all.filter(({ link, ifname: name }) => link === ifname || name.startsWith("nf")).map((link) => link.ifname);
}

function withoutPromiscuity({ link, ...rest }: HostState): unknown {
  return { ...rest, link: { ...(link as object), promiscuity: undefined } };
}

/** As the scheduler sees them. */
function devices(): readonly { readonly name: string }[] {
  const slices = at.node.api.store.list("/apis/resource.k8s.io/v1/resourceslices") as unknown as {
    readonly spec: { readonly devices: readonly { readonly name: string }[] };
  }[];
  return slices.flatMap(({ spec }) => spec.devices);
}

async function expectNothingLeft(agent: Agent, ifname: string, before: HostState): Promise<void> {
  await expectHostState(ifname, before);
  expect(childrenOnHost(ifname)).toEqual([]);
  for (const metric of ["held_namespaces", "receipts", 'devices{state="attached"}', 'devices{state="prepared"}'])
    expect([metric, await agent.metric(`dranet_driver_${metric}`)]).toEqual([metric, 0]);
}

test(
  "the pod has a link of its own, the device stays as it is, on the host and in the pool, and the link goes with the claim",
  async () => {
    const { ifname, before } = await parent();
    const agent = await at.node.agent();
    await agent.settled();
    const published = () => JSON.stringify(devices().find(({ name }) => name === ifname));
    await eventually("the device is offered", () => published() !== undefined);
    const offered = published();
    const wanted = claim(ifname, { arpIgnore: 1, mtu: 1400 });
    const { pod, containerId } = await at.node.kubelet.startPod({
      name: wanted.name,
      uid: wanted.podUid,
      claims: [wanted],
    });
    const inPod = await shown(pod);
    expect(inPod).toContain("macvlan mode bridge");
    expect(inPod).toContain("mtu 1400");
    expect(inPod).toContain(ADDRESS);
    expect(inPod).not.toContain("10.91.0.5");
    expect((await at.node.pods.exec(containerId, "ping", "-c", "1", "-W", "2", PEER)).stdout).toContain(
      " 0% packet loss",
    );
    expect((await at.node.pods.exec(containerId, "cat", "/proc/sys/net/ipv4/conf/net1/arp_ignore")).stdout.trim()).toBe(
      "1",
    );
    expect((await at.node.pods.exec(containerId, "ls", `/dev/netferry/${wanted.uid}`)).stdout).toContain("nic-0");
    const mac = /link\/ether (\S+)/.exec(inPod)?.[1] ?? "";
    await eventually("the claim tells", () => {
      const status = at.node.api.store.get(`/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/${wanted.name}`);
      return JSON.stringify(status).includes(`"hardwareAddress":"${mac}"`);
    });
    await agent.settled();
    expect(published()).toBe(offered);
    // For the child's address, which is not the parent's, the kernel has it listen to all.
    expect(withoutPromiscuity(hostState(ifname))).toEqual(withoutPromiscuity(before));
    await at.node.kubelet.endPod(pod, [wanted]);
    await expectNothingLeft(agent, ifname, before);
  },
  TEST_LIMIT_MS,
);

test.each(["held", "snapshot", "committed", "made", "moved", "configured", "receipt"])(
  "killed in the hook at attach.%s: no child is left on the host, and the pod gets its link",
  async (point) => {
    const { ifname, before } = await parent();
    const first = await at.node.agent({ faults: `kill:attach.${point}` });
    const wanted = claim(ifname);
    await at.node.kubelet.prepare(wanted);
    const pod = await run(wanted);
    await first.died();
    expect(childrenOnHost(ifname)).toEqual([]);
    if (point !== "receipt") expect(await refusal(launch(pod, "early", wanted))).toContain("unresolvable CDI devices");
    const agent = await at.node.agent();
    await eventually("the pod has its link", async () => (await shown(pod)).includes(ADDRESS), LATE_LIMIT_MS);
    await eventually("the receipt is there", () =>
      existsSync(`${at.node.lab.cdiDir}/netferry-dra.net-${wanted.uid}.json`),
    );
    const containerId = await launch(pod, "main", wanted);
    expect((await at.node.pods.exec(containerId, "ip", "addr", "show", "net1")).stdout).toContain(ADDRESS);
    await at.node.kubelet.endPod(pod, [wanted]);
    await expectNothingLeft(agent, ifname, before);
  },
  TEST_LIMIT_MS,
);

test.each(["receiptRemoved", "moved", "restored"])(
  "killed on the way back at detach.%s: the next agent finishes it",
  async (point) => {
    const { ifname, before } = await parent();
    const first = await at.node.agent({ faults: `kill:detach.${point}` });
    const wanted = claim(ifname);
    const { pod } = await at.node.kubelet.startPod({ name: wanted.name, uid: wanted.podUid, claims: [wanted] });
    await at.node.pods.stop(pod);
    await first.died();
    const agent = await at.node.agent();
    await at.node.pods.remove(pod);
    await at.node.kubelet.unprepare(wanted);
    await expectNothingLeft(agent, ifname, before);
  },
  TEST_LIMIT_MS,
);

test(
  "a child whose namespace died while the agent was away is no loss, and a new sandbox gets one with the same address",
  async () => {
    const { ifname, before } = await parent();
    const first = await at.node.agent();
    const wanted = claim(ifname);
    const { pod } = await at.node.kubelet.startPod({ name: wanted.name, uid: wanted.podUid, claims: [wanted] });
    const mac = /link\/ether (\S+)/.exec(await shown(pod))?.[1];
    await first.kill();
    await at.node.pods.stop(pod);
    await at.node.pods.remove(pod);
    const agent = await at.node.agent();
    const again = await at.node.pods.run({ name: wanted.name, uid: wanted.podUid, attempt: 1 });
    await eventually("the new sandbox has its link", async () => (await shown(again)).includes(ADDRESS));
    expect(/link\/ether (\S+)/.exec(await shown(again))?.[1]).toBe(mac);
    expect(agent.log.filter(({ message }) => message.includes("lost") || message.includes("made anew"))).toEqual([]);
    await at.node.kubelet.endPod(again, [wanted]);
    await expectNothingLeft(agent, ifname, before);
  },
  TEST_LIMIT_MS,
);

test(
  "pods share a device, each with a link of its own, and none of them can have the device itself meanwhile",
  async () => {
    const { ifname, before } = await parent();
    const shareable = `attributes["dra.net/ifName"].StringValue == "${ifname}"`;
    const agent = await at.node.agent({ args: ["--shareable", shareable, "--max-shares", "8"] });
    const published = () => JSON.stringify(devices().find(({ name }) => name === ifname));
    await eventually("the device is offered", () => published() !== undefined);
    const offered = published();
    expect(JSON.parse(offered)).toMatchObject({
      allowMultipleAllocations: true,
      capacity: { "dra.net/subInterfaces": { value: "8", requestPolicy: { default: "1", validValues: ["1"] } } },
    });
    expect(devices().filter((device) => "allowMultipleAllocations" in device)).toHaveLength(1);
    const share = () => ({ shareIds: { nic: crypto.randomUUID() } });
    const [one, two] = [claim(ifname, {}, share()), claim(ifname, { addresses: ["10.91.0.10/24"] }, share())];
    const first = await at.node.kubelet.startPod({ name: one.name, uid: one.podUid, claims: [one] });
    const second = await at.node.kubelet.startPod({ name: two.name, uid: two.podUid, claims: [two] });
    const ping = () => at.node.pods.exec(second.containerId, "ping", "-c", "1", "-W", "2", "10.91.0.9");
    expect((await ping()).stdout).toContain(" 0% packet loss");
    for (const wanted of [one, two])
      await eventually("the claim tells its share", () => {
        const claim = at.node.api.store.get(
          `/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/${wanted.name}`,
        );
        return JSON.stringify(claim?.["status"]).split('"shareID"').length === 3;
      });
    await agent.settled();
    expect(published()).toBe(offered);
    const whole = claim(ifname, { type: "Passthrough" }, share());
    expect(await refusal(at.node.kubelet.prepare(whole))).toContain(
      `device ${ifname} is the parent of a link of claim default/${one.name} of pod default/${one.name}, and cannot be passed through meanwhile`,
    );
    await at.node.kubelet.endPod(first.pod, [one]);
    expect(await shown(second.pod)).toContain("10.91.0.10/24");
    expect((await at.node.pods.exec(second.containerId, "ping", "-c", "1", "-W", "2", PEER)).stdout).toContain(
      " 0% packet loss",
    );
    await at.node.kubelet.endPod(second.pod, [two]);
    await expectNothingLeft(agent, ifname, before);

    const taker = await at.node.kubelet.startPod({ name: whole.name, uid: whole.podUid, claims: [whole] });
    const late = claim(ifname, {}, share());
    expect(await refusal(at.node.kubelet.prepare(late))).toContain(
      `device ${ifname} is passed through to claim default/${whole.name} of pod default/${whole.name}, and cannot be the parent`,
    );
    await at.node.kubelet.endPod(taker.pod, [whole]);
    await expectNothingLeft(agent, ifname, before);
  },
  TEST_LIMIT_MS,
);

test(
  "a child that cannot have its name is not left in the pod",
  async () => {
    const { ifname, before } = await parent();
    const agent = await at.node.agent();
    const wanted = claim(ifname, { name: "eth0" });
    await at.node.kubelet.prepare(wanted);
    const pod = await run(wanted);
    await agent.logged((line) => line.message === "attach failed" && line["claimUid"] === wanted.uid);
    expect(await shown(pod, "eth0")).not.toContain("macvlan");
    const path = (await at.node.pods.netns(pod)) ?? "";
    expect(Bun.spawnSync(["nsenter", `--net=${path}`, "ip", "link", "show"]).stdout.toString()).not.toContain("nf");
    await at.node.kubelet.endPod(pod, [wanted]);
    await expectNothingLeft(agent, ifname, before);
  },
  TEST_LIMIT_MS,
);

test(
  "what the parent cannot carry is refused in Prepare",
  async () => {
    const { ifname } = await parent();
    await at.node.agent();
    expect(await refusal(at.node.kubelet.prepare(claim(ifname, { mtu: 1451 })))).toContain(
      `interface.mtu is 1451, but a link on ${ifname} has at most the MTU of ${ifname}, which is 1450`,
    );
    expect(await refusal(at.node.kubelet.prepare(claim(ifname, { macvlan: { mode: "private" } })))).toContain(
      "interface.macvlan: has an effect beyond the pod: only a DeviceClass may set it",
    );
    ip("link", "set", ifname, "down");
    expect(await refusal(at.node.kubelet.prepare(claim(ifname)))).toContain(`${ifname} is down`);
  },
  TEST_LIMIT_MS,
);
