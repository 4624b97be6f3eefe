/** Pods with more than one device: what happens to one must not happen to the others. */

import { expect, test } from "bun:test";
import { eventually } from "../fakes/eventually.ts";
import { settled } from "../lab/claim-life.ts";
import { expectHostState, hostState } from "../lab/host-state.ts";
import { hasLink, ip, uniqueName } from "../lab/links.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";
import { refusal } from "../lab/refusal.ts";
import type { Pod } from "../lab/runtime/pods.ts";

const TEST_LIMIT_MS = 60_000;

const at = nodeForTests({ agent: {} });

async function device(address: string): Promise<string> {
  const { ifname } = at.links.vethToPeer();
  ip("addr", "add", address, "dev", ifname);
  ip("link", "set", ifname, "up");
  await settled(ifname);
  return ifname;
}

/** Beside those that every pod has. */
async function linksIn(pod: Pod): Promise<readonly string[]> {
  const netns = (await at.node.pods.netns(pod)) ?? "";
  const shown = Bun.spawnSync(["nsenter", `--net=${netns}`, "ip", "-j", "link", "show"]).stdout.toString();
  const all = JSON.parse(shown) as { ifname: string }[];
  return all.map(({ ifname }) => ifname).filter((ifname) => !["lo", "eth0"].includes(ifname));
}

test(
  "of a pod's two claims each is unprepared by itself, and the other's device stays in the pod until then",
  async () => {
    const [first, second] = [await device("10.85.0.1/24"), await device("10.86.0.1/24")];
    const before = [hostState(first), hostState(second)] as const;
    const one = at.node.claim(uniqueName("one"), { devices: first, config: { interface: { name: "net1" } } });
    const two = at.node.claim(uniqueName("two"), {
      devices: second,
      config: { interface: { name: "net2" } },
      beside: one,
    });
    const { pod } = await at.node.kubelet.startPod({ name: one.name, uid: one.podUid, claims: [one, two] });
    expect(await linksIn(pod)).toEqual(["net1", "net2"]);

    await at.node.kubelet.unprepare(one);
    await expectHostState(first, before[0]);
    expect(await linksIn(pod)).toEqual(["net2"]);
    expect(await at.agent.metric('dranet_driver_devices{state="attached"}')).toBe(1);

    await at.node.kubelet.endPod(pod, [two]);
    await expectHostState(second, before[1]);
  },
  TEST_LIMIT_MS,
);

test(
  "a claim of which one device cannot be had is refused whole: the other one stays free for who comes next",
  async () => {
    const present = await device("10.87.0.1/24");
    const before = hostState(present);
    const claim = at.node.claim(uniqueName("half"), { devices: { there: present, gone: "no-such-link" } });
    expect(await refusal(at.node.kubelet.prepare(claim))).toContain(
      "device no-such-link of request gone is not on this node any more",
    );
    expect(await at.agent.metric('dranet_driver_devices{state="prepared"}')).toBe(0);
    expect(hostState(present)).toEqual(before);

    const next = at.node.claim(uniqueName("next"), { devices: present, config: {} });
    const { pod } = await at.node.kubelet.startPod({ name: next.name, uid: next.podUid, claims: [next] });
    await at.node.kubelet.endPod(pod, [next]);
    await eventually(`${present} is home`, () => hasLink(present));
  },
  TEST_LIMIT_MS,
);

test(
  "two devices that swap names come home under their own",
  async () => {
    const [first, second] = [await device("10.88.0.1/24"), await device("10.89.0.1/24")];
    const before = [hostState(first), hostState(second)] as const;
    const claim = at.node.claim(uniqueName("swap"), {
      devices: { a: first, b: second },
      configs: { a: { interface: { name: second } }, b: { interface: { name: first } } },
    });
    const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
    expect([...(await linksIn(pod))].toSorted()).toEqual([first, second].toSorted());
    const attached = at.agent.log.filter(
      (line) => line.message === "device attached" && line["claimUid"] === claim.uid,
    );
    expect(attached.map((line) => line["request"])).toEqual(["a", "b"]);
    await at.node.kubelet.endPod(pod, [claim]);
    await expectHostState(first, before[0]);
    await expectHostState(second, before[1]);
  },
  TEST_LIMIT_MS,
);
