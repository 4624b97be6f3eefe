/** Edge mode: several claims on one device, each of which gets a link that stands on it. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually } from "../fakes/eventually.ts";
import { settled } from "../lab/claim-life.ts";
import { expectHostState, hostState } from "../lab/host-state.ts";
import { HostLinks, ip, uniqueName } from "../lab/links.ts";
import type { Pod } from "../lab/runtime/pods.ts";
import { StandaloneNode } from "../lab/standalone-node.ts";

const START_LIMIT_MS = 180_000;
const TEST_LIMIT_MS = 60_000;

let node: StandaloneNode;

beforeAll(async () => {
  node = await StandaloneNode.start({ suite: "sid" });
}, START_LIMIT_MS);
afterAll(() => node[Symbol.asyncDispose](), TEST_LIMIT_MS);

test(
  "claims of two pods share a device, a third waits for its turn, and the device never leaves the host",
  async () => {
    using links = new HostLinks();
    const { ifname } = links.vethToPeer(["10.93.0.1/24"]);
    ip("link", "set", ifname, "up");
    await settled(ifname);
    const before = hostState(ifname);
    node.writeClass("v");
    const agent = await node.agent({ args: ["--shareable", "true", "--max-shares", "2"] });
    const names = ["a", "b", "c"].map((name) => uniqueName(name));
    for (const [at, name] of names.entries())
      node.writeClaim({
        name,
        ifname,
        config: { interface: { type: "MACVLAN", name: "net1", addresses: [`10.93.0.1${at}/24`] } },
      });
    const bound = (name = "") =>
      agent.logged((line) => line.message === "claim bound" && line["claim"] === `default/${name}`);
    const run = async (name = "") => {
      await bound(name);
      const pod = await node.pods.run({ name, annotations: { "netferry.dev/claims": name } });
      const containerId = await node.pods.launch(pod, { name: "main", cdiDevices: [`netferry.dev/claim=${name}`] });
      return {
        pod,
        ping: async () => (await node.pods.exec(containerId, "ping", "-c", "1", "-W", "2", "10.93.0.1")).stdout,
      };
    };
    const [one, two] = [await run(names[0]), await run(names[1])];
    for (const { ping } of [one, two]) expect(await ping()).toContain(" 0% packet loss");
    await agent.logged((line) => line.message === "claim is not served" && line["claim"] === `default/${names[2]}`);
    await end(one.pod);
    node.removeFile(`${names[0]}.yaml`);
    const three = await run(names[2]);
    for (const { ping } of [two, three]) expect(await ping()).toContain(" 0% packet loss");
    await end(two.pod);
    await end(three.pod);
    await expectHostState(ifname, before);
    await eventually("no receipt is left", async () => (await agent.metric("dranet_driver_receipts")) === 0);
    await node.stopAgents();
  },
  TEST_LIMIT_MS,
);

async function end(pod: Pod): Promise<void> {
  await node.pods.stop(pod);
  await node.pods.remove(pod);
}
