/**
 * Runs in an emulated machine with an IOMMU: VFs of a node on which netferry runs as its own process. It makes them as the
 * node's configuration says, and they go into pods of a real containerd, as links and as VFIO devices.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../fakes/eventually.ts";
import type { Agent } from "../../lab/agent.ts";
import { startGuestNode } from "../../lab/guest-node.ts";
import type { HostState } from "../../lab/host-state.ts";
import { deviceName, igbPorts, vfsOf } from "../../lab/igb.ts";
import { hasLink, uniqueName } from "../../lab/links.ts";
import type { TestNode } from "../../lab/node.ts";
import { driverOf, expectHome, giveState, PEER, PF, pfState, VfMachine, VLAN, vfInfo } from "../../lab/vf-machine.ts";

const MAC = "02:00:00:00:00:77";
const LINK = { name: "net1", addresses: ["10.71.0.9/24"] };
const VF = { vlan: { id: VLAN, qos: 3 }, mac: MAC, trust: true, spoofCheck: false, maxTxRate: 100 };
const SET = {
  address: MAC,
  vlan_list: [{ vlan: VLAN, qos: 3 }],
  rate: { max_tx: 100, min_tx: 0 },
  trust: true,
  spoofchk: false,
};

let machine: VfMachine;
let node: TestNode;

beforeAll(async () => {
  machine = await VfMachine.start(2);
  node = await startGuestNode();
});
afterAll(async () => {
  await node[Symbol.asyncDispose]();
  machine[Symbol.dispose]();
});

describe("in a pod", () => {
  let before: HostState;
  let pfBefore: unknown;

  beforeAll(async () => {
    before = await giveState("vf0");
    pfBefore = pfState();
    await node.agent();
  });
  afterAll(() => node.stopAgents());

  async function startPod(config: object, hostNetwork = false) {
    const claim = node.claim(uniqueName("vf"), { devices: machine.device(0), classConfig: config, hostNetwork });
    const options = { name: claim.name, uid: claim.podUid, claims: [claim], hostNetwork };
    const { pod, containerId } = await node.kubelet.startPod(options);
    return { pod, main: containerId, end: () => node.kubelet.endPod(pod, [claim]) };
  }

  const exec = async (containerId: string, ...command: string[]) =>
    (await node.pods.exec(containerId, ...command)).stdout;

  test("it talks in the VLAN that the PF gives it and of which the pod knows nothing; then the PF is as before", async () => {
    const { main, end } = await startPod({ interface: LINK, vf: VF });
    expect(vfInfo(0)).toMatchObject(SET);
    expect(await exec(main, "ip", "link", "show", "net1")).toContain(MAC);
    await eventually("the peer answers", async () =>
      (await exec(main, "ping", "-c", "1", "-W", "2", PEER)).includes(" 0% packet loss"),
    );
    await end();
    await expectHome("vf0", before, pfBefore);
  });

  test("a setting that the PF does not have is named in the claim's status", async () => {
    const classConfig = { interface: LINK, vf: { trust: true, linkState: "enable" } };
    const claim = node.claim("lacking", { devices: machine.device(0), classConfig });
    await node.kubelet.prepare(claim);
    const pod = await node.pods.run({ name: claim.name, uid: claim.podUid });
    const path = `/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/${claim.name}`;
    await eventually("the claim's status says it", () =>
      JSON.stringify(node.api.store.get(path)).includes("does not support vf.linkState"),
    );
    await node.kubelet.endPod(pod, [claim]);
    await expectHome("vf0", before, pfBefore);
  });

  test.each([false, true])("it is a VFIO device, of the container that names it (hostNetwork: %p)", async (host) => {
    const vf = machine.vfs[0] ?? "";
    const config = { driver: "vfio-pci", vhostNet: true, tun: true, vf: VF };
    const { pod, main, end } = await startPod(config, host);
    expect(driverOf(vf)).toBe("vfio-pci");
    expect(hasLink("vf0")).toBe(false);
    expect(vfInfo(0)).toMatchObject(SET);
    const group = onHost("readlink", `/sys/bus/pci/devices/${vf}/iommu_group`).trim().split("/").at(-1) ?? "";
    const paths = ["/dev/vfio/vfio", `/dev/vfio/${group}`, "/dev/vhost-net", "/dev/net/tun"];
    const format = ["stat", "-c", "%n %F %t:%T"];
    expect(await exec(main, ...format, ...paths)).toBe(onHost(...format, ...paths));
    // The container's device cgroup lets it open them.
    for (const path of paths) expect(await exec(main, "sh", "-c", `exec 3<>${path} && echo open`)).toBe("open\n");
    const neighbour = await node.pods.launch(pod, { name: "neighbour" });
    for (const path of paths) expect(await exec(neighbour, "sh", "-c", `[ -e ${path} ] || echo none`)).toBe("none\n");
    await end();
    await expectHome("vf0", before, pfBefore);
    expect(driverOf(vf)).toBe("igbvf");
  });
});

describe("the node's configuration", () => {
  beforeAll(() => machine.setVfs(0));

  function agentWith(...sriov: readonly string[]): Promise<Agent> {
    const path = join(node.dir, "node.yaml");
    writeFileSync(path, ["sriov:", ...sriov.map((entry) => `- ${entry}`), ""].join("\n"));
    return node.agent({ args: ["--node-config", path] });
  }

  /** Other ones for VFs that were made anew. */
  const vfInodes = () => vfsOf(machine.pf).map((vf) => statSync(`/sys/bus/pci/devices/${vf}/`).ino);

  /** As many VFs of the PF, each of them a device that the node offers. */
  async function offers(count: number): Promise<void> {
    const numVfs = () => readFileSync(`/sys/bus/pci/devices/${machine.pf}/sriov_numvfs`, "utf8").trim();
    await eventually(`${PF} has ${count} VFs`, () => numVfs() === String(count), 30_000);
    const slices = () => JSON.stringify(node.api.store.list("/apis/resource.k8s.io/v1/resourceslices"));
    await eventually(`${count} VFs are published`, () =>
      vfsOf(machine.pf).every((vf) => slices().includes(`"${deviceName(vf)}"`)),
    );
  }

  const says = (agent: Agent, sentence: string) =>
    eventually(`/readyz says: ${sentence}`, async () => (await agent.readyz()).includes(sentence), 15_000);

  test("has VFs made and published, and other ones only when no claim has any of them", async () => {
    const [, other] = igbPorts();
    const first = await agentWith(
      `{ pf: ${PF}, numVFs: 2 }`,
      `{ pf: nosuch0, numVFs: 1 }`,
      `{ pf: "${other}", numVFs: 8 }`,
    );
    await offers(2);
    await says(first, "the PF nosuch0 is not on this node");
    await says(first, `the PF ${other} has 0 VFs and is to have 8, but it can have 7 at most`);
    const claim = node.claim("holder", { devices: machine.device(1) });
    await node.kubelet.prepare(claim);
    await first.stop();

    const made = vfInodes();
    const second = await agentWith(`{ pf: "${machine.pf}", numVFs: 3 }`);
    await says(
      second,
      `the PF ${machine.pf} has 2 VFs and is to have 3, which has to wait: claim default/holder has ${machine.device(1)}`,
    );
    expect(vfInodes()).toEqual(made);
    await offers(2);
    await node.kubelet.unprepare(claim);
    await offers(3);
    await says(second, "every PF has the VFs that it is to have");
  });
});

function onHost(...command: string[]): string {
  return Bun.spawnSync(command).stdout.toString();
}
