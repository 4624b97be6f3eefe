/**
 * Runs in an emulated machine. The agent dies with each change to the kernel on a VF's way into its pod and home, before
 * the kernel has made it and after: the next agent brings the VF and what its PF had set for it back as they were.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../../fakes/eventually.ts";
import { FerryLab, type LabAgent, type LabAgentOptions } from "../../lab/ferry-lab.ts";
import type { HostState } from "../../lab/host-state.ts";
import { hasLink } from "../../lab/links.ts";
import { TestNetns } from "../../lab/netns.ts";
import { driverOf, expectHome, giveState, pfState, VfMachine, vfInfo } from "../../lab/vf-machine.ts";

const VF = { vlan: { id: 5, qos: 3 }, mac: "02:00:00:00:00:77", trust: true, spoofCheck: false, maxTxRate: 100 };
const SET = { address: VF.mac, vlan_list: [{ vlan: 5, qos: 3 }], trust: true, spoofchk: false };
const CASES = {
  link: { interface: { name: "net1", addresses: ["10.71.0.9/24"] }, vf: VF },
  VFIO: { driver: "vfio-pci", vf: VF },
};

let machine: VfMachine;
let lab: FerryLab;
let before: HostState;
let pfBefore: unknown;
let address: string;

beforeAll(async () => {
  machine = await VfMachine.start(1);
  lab = await FerryLab.start();
  address = machine.vfs[0] ?? "";
  before = await giveState("vf0");
  pfBefore = pfState();
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  machine[Symbol.dispose]();
});

async function withAgent<T>(options: LabAgentOptions, task: (agent: LabAgent) => Promise<T>): Promise<T> {
  await using agent = lab.agent(options);
  return await task(agent);
}

function expectThere(kind: keyof typeof CASES, pod: TestNetns): void {
  expect(vfInfo(0)).toMatchObject(SET);
  if (kind === "VFIO") expect(driverOf(address)).toBe("vfio-pci");
  else expect(pod.json("addr", "show", "net1")[0]).toMatchObject({ address: VF.mac });
}

async function expectBack(): Promise<void> {
  await expectHome("vf0", before, pfBefore);
  expect(driverOf(address)).toBe("igbvf");
}

describe.each(Object.keys(CASES) as (keyof typeof CASES)[])("a VF as %s", (kind) => {
  const config = CASES[kind];
  let [changesOut, changesHome] = [0, 0];

  test("goes into its pod and comes home as it was", async () => {
    await withAgent({}, async (agent) => {
      using pod = new TestNetns();
      await agent.prepare(machine.device(0), config);
      await agent.attach(pod);
      changesOut = agent.life.changes;
      expectThere(kind, pod);
      await agent.detach();
      changesHome = agent.life.changes - changesOut;
      await expectBack();
      expect(agent.problems).toEqual([]);
      await agent.unprepare();
    });
    // At least what the PF sets and the driver.
    expect(changesOut).toBeGreaterThan(1);
    expect(changesHome).toBeGreaterThan(1);
  });

  test.each([false, true])("whose agent dies on each way comes home as it was (done: %p)", async (executed) => {
    for (let atChange = 1; atChange <= Math.max(changesOut, changesHome); atChange++) {
      const pod = new TestNetns();
      await withAgent({ death: { atChange, executed } }, async (agent) => {
        await agent.prepare(machine.device(0), config);
        const attached = agent.attach(pod);
        expect(await fails(attached)).toBe(atChange <= changesOut);
      });
      await withAgent({}, async (agent) => {
        await agent.attach(pod);
        expectThere(kind, pod);
      });
      if (atChange <= changesHome)
        await withAgent({ death: { atChange, executed } }, async (agent) => {
          expect(await fails(agent.detach())).toBe(true);
        });
      await withAgent({}, homeAtLast);
      await expectBack();
      pod[Symbol.dispose]();
    }
  });

  test("whose agent dies on the way, and its pod too, comes home as it was", async () => {
    for (let atChange = 1; atChange <= changesOut + 1; atChange++) {
      const pod = new TestNetns();
      await withAgent({ death: { atChange, executed: true } }, async (agent) => {
        await agent.prepare(machine.device(0), config);
        expect(await fails(agent.attach(pod))).toBe(atChange <= changesOut);
      });
      pod[Symbol.dispose]();
      await withAgent({}, homeAtLast);
      await expectBack();
      expect(hasLink("net1")).toBe(false);
    }
  });
});

function fails(task: Promise<unknown>): Promise<boolean> {
  return task.then(
    () => false,
    () => true,
  );
}

/** A dying namespace gives hardware back after a while; the agent tries until then. */
async function homeAtLast(agent: LabAgent): Promise<void> {
  await eventually("the VF is home", async () => !(await fails(agent.unprepare())));
  expect(agent.problems).toEqual([]);
}
