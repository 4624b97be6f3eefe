/**
 * Runs in an emulated machine. VFs go into pods with settings that their PF makes, and are as before when they are back,
 * and so is the PF. What cannot be is told in sentences.
 */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { eventually } from "../../fakes/eventually.ts";
import { FerryLab, type LabAgent } from "../../lab/ferry-lab.ts";
import type { HostState } from "../../lab/host-state.ts";
import { hasLink, ip } from "../../lab/links.ts";
import { TestNetns } from "../../lab/netns.ts";
import { refusal } from "../../lab/refusal.ts";
import { driverOf, expectHome, giveState, PF, pfState, VfMachine, vfInfo } from "../../lab/vf-machine.ts";

const MAC = "02:00:00:00:00:77";
const LINK = { name: "net1", addresses: ["10.71.0.9/24"] };

let machine: VfMachine;
let lab: FerryLab;
let before: HostState;
let pfBefore: unknown;
let agent: LabAgent;
let pod: TestNetns;

beforeAll(async () => {
  machine = await VfMachine.start(2);
  lab = await FerryLab.start();
  before = await giveState("vf0");
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  machine[Symbol.dispose]();
});
beforeEach(() => {
  agent = lab.agent({ offerVfio: true });
  pod = new TestNetns();
  pfBefore = pfState();
});
afterEach(async () => {
  await agent.unprepare();
  await agent[Symbol.asyncDispose]();
  pod[Symbol.dispose]();
});

function ownMac(ifname: string): string {
  return readFileSync(`/sys/class/net/${ifname}/address`, "utf8").trim();
}

test("a VF without vf settings is reset too, and keeps its address in the pod", async () => {
  const mac = ownMac("vf0");
  await agent.prepare(machine.device(0), { interface: LINK });
  await agent.attach(pod);
  const [inPod] = pod.json("link", "show", "net1");
  expect(inPod).toMatchObject({ address: mac, mtu: 1400, txqlen: 555, ifalias: "spare" });
  // Its driver made it anew.
  expect(inPod.ifindex).not.toBe((before.link as { ifindex: number }).ifindex);
  await agent.detach();
  await expectHome("vf0", before, pfBefore);
  expect(agent.problems).toEqual([]);
});

test("an address that the PF had given is given again, and not left to the VF", async () => {
  ip("link", "set", PF, "vf", "1", "mac", "02:00:00:00:01:01");
  const given = pfState();
  await agent.prepare(machine.device(1), { interface: LINK, vf: { mac: MAC } });
  await agent.attach(pod);
  expect(vfInfo(1)).toMatchObject({ address: MAC });
  await agent.unprepare();
  expect(pfState()).toEqual(given);
  const own = Bun.spawnSync(["ip", "link", "set", "vf1", "address", "02:00:00:00:02:02"]);
  expect(own.success).toBe(false);
  ip("link", "set", PF, "vf", "1", "mac", "00:00:00:00:00:00");
});

test("an address that the VF had chosen is its own choice again", async () => {
  const mac = ownMac("vf0");
  await agent.prepare(machine.device(0), { interface: LINK, vf: { mac: MAC } });
  await agent.attach(pod);
  expect(pod.json("link", "show", "net1")[0].address).toBe(MAC);
  await agent.unprepare();
  await expectHome("vf0", before, pfBefore);
  ip("link", "set", "vf0", "address", "02:00:00:00:02:02");
  expect(vfInfo(0)).toMatchObject({ address: "02:00:00:00:02:02" });
  ip("link", "set", "vf0", "address", mac);
});

describe("what its PF cannot do", () => {
  test.each([
    [{ linkState: "enable" }, "does not support vf.linkState"],
    [{ vlan: { id: 6, protocol: "802.1ad" } }, "does not support the VLAN protocol of vf.vlan"],
    [{ minTxRate: 10, maxTxRate: 100 }, "refuses vf.minTxRate"],
  ])("%j is told by name, and nothing of what was set stays", async (setting, sentence) => {
    await agent.prepare(machine.device(0), { interface: LINK, vf: { trust: true, ...setting } });
    expect(await refusal(agent.attach(pod))).toContain(sentence);
    await expectHome("vf0", before, pfBefore);
  });

  test("an MTU above the PF's is refused in Prepare", async () => {
    const config = { interface: { ...LINK, mtu: 1501 } };
    expect(await refusal(agent.prepare(machine.device(0), config))).toContain(
      `interface.mtu is 1501, but VF vf0 has at most the MTU of its PF ${PF}, which is 1500`,
    );
  });

  test("vf is refused on a device that is no VF", async () => {
    expect(await refusal(agent.prepare(machine.device("pf"), { vf: { trust: true } }))).toContain("vf is for VFs");
  });

  test("vf is refused while the PF is in another namespace", async () => {
    ip("link", "set", PF, "netns", pod.name);
    const problem = await refusal(agent.prepare(machine.device(0), { interface: LINK, vf: { trust: true } }));
    pod.ip("link", "set", PF, "netns", "1");
    ip("link", "set", PF, "up");
    await eventually("the PF has its carrier", () => ip("link", "show", PF).includes("LOWER_UP"));
    expect(problem).toContain("is not in the host's network namespace");
  });

  test("a VF whose PF went to another namespace waits for it with its return", async () => {
    await agent.prepare(machine.device(0), { interface: LINK, vf: { trust: true } });
    await agent.attach(pod);
    using elsewhere = new TestNetns();
    ip("link", "set", PF, "netns", elsewhere.name);
    expect(await refusal(agent.detach())).toContain("the PF's link is not in the host's network namespace");
    elsewhere.ip("link", "set", PF, "netns", "1");
    ip("link", "set", PF, "up");
    await eventually("the PF has its carrier", () => ip("link", "show", PF).includes("LOWER_UP"));
    await agent.detach();
    await expectHome("vf0", before, pfBefore);
  });
});

describe("vfio-pci", () => {
  test("is refused on a PF with VFs, and beside fields of a link", async () => {
    const driver = { driver: "vfio-pci" };
    expect(await refusal(agent.prepare(machine.device("pf"), driver))).toContain("is a PF with 2 VFs");
    expect(
      await refusal(Promise.try(() => agent.prepare(machine.device(0), { ...driver, interface: { mtu: 9000 } }))),
    ).toContain("driver: takes the link away");
  });

  test("is refused while it is not loaded, as are other devices whose module is not", async () => {
    for (const module of ["vhost_net", "vfio-pci"])
      expect(Bun.spawnSync(["modprobe", "-r", module]).success).toBe(true);
    const refusals = [
      await refusal(agent.prepare(machine.device(0), { driver: "vfio-pci" })),
      await refusal(agent.prepare(machine.device(0), { vhostNet: true })),
    ];
    Bun.spawnSync(["modprobe", "-a", "vhost_net", "vfio-pci"]);
    expect(refusals[0]).toContain("driver vfio-pci is not loaded on this node");
    expect(refusals[1]).toContain("/dev/vhost-net is not on this node");
  });

  test("keeps a function that the administrator bound to it", async () => {
    const vf = machine.vfs[1] ?? "";
    const write = (file: string, text: string) => writeFileSync(`/sys/bus/pci/devices/${vf}/${file}`, text);
    write("driver_override", "vfio-pci");
    write("driver/unbind", vf);
    writeFileSync("/sys/bus/pci/drivers_probe", vf);
    const given = pfState();
    const { plan } = await agent.prepare(machine.device(1), { vf: { trust: true } });
    expect(plan.deviceNodes?.map(({ path }) => path)).toEqual(["/dev/vfio/vfio"]);
    const record = await agent.attach(pod);
    expect(record.attachment?.deviceNodes?.[0]?.path).toStartWith("/dev/vfio/");
    expect(vfInfo(1)).toMatchObject({ trust: true });
    await agent.unprepare();
    expect(driverOf(vf)).toBe("vfio-pci");
    expect(pfState()).toEqual(given);
    write("driver_override", "\n");
    write("driver/unbind", vf);
    writeFileSync("/sys/bus/pci/drivers_probe", vf);
    expect(driverOf(vf)).toBe("igbvf");
  });

  test("a VF that is taken away while a pod has it is reported, and holds nothing up", async () => {
    await agent.prepare(machine.device(0), { driver: "vfio-pci" });
    await agent.attach(pod);
    machine.setVfs(0);
    await agent.unprepare();
    expect(agent.problems).toEqual([`its PCI function ${machine.vfs[0]} is not on this machine any more`]);
    expect(hasLink("vf0")).toBe(false);
  });
});
