/** Three pods, the middle one routes: each network has a table and a rule of its own, as DRANET's users lay them out. */

import { afterAll, expect, test } from "bun:test";
import { SLICES } from "../fakes/api-server.ts";
import { eventually } from "../fakes/eventually.ts";
import { HostLinks, hasLink, ip, uniqueName } from "../lab/links.ts";
import { TestNode } from "../lab/node.ts";

const LIMIT_MS = 240_000;
const TABLE = 100;

const links = new HostLinks();
let node: TestNode | undefined;
afterAll(async () => {
  await node?.[Symbol.asyncDispose]();
  links[Symbol.dispose]();
}, LIMIT_MS);

/** A cable whose two ends are devices of this host. */
function cable(): readonly [string, string] {
  const [left, right] = [uniqueName("l"), uniqueName("r")];
  links.run(["link", "add", left, "type", "veth", "peer", "name", right], ["link", "del", left]);
  for (const end of [left, right]) ip("link", "set", end, "up");
  return [left, right];
}

/** A host of `network`, whose packets look in the table for the way to the other one, by the router. */
function hostConfig(network: string, other: string): object {
  return {
    interface: { name: "eth1", addresses: [`${network}.10/24`] },
    routes: [
      { destination: `${network}.2/32`, scope: 253, table: TABLE },
      { destination: `${other}.0/24`, gateway: `${network}.2`, table: TABLE },
    ],
    rules: [
      { source: `${network}.10/32`, table: TABLE, priority: 32_000 },
      { destination: `${other}.0/24`, table: TABLE, priority: 32_000 },
    ],
  };
}

test(
  "a pod reaches another one by a third, with routes that only its rules find, and all links come home",
  async () => {
    const own = await TestNode.start({ suite: "sid" });
    node = own;
    await own.agent();
    const [first, firstAtRouter] = cable();
    const [second, secondAtRouter] = cable();
    const all = [first, firstAtRouter, second, secondAtRouter];
    const offered = () => JSON.stringify(own.api.store.list(SLICES));
    await eventually("all are offered", () => all.every((ifname) => offered().includes(`"${ifname}"`)));
    const start = async (name: string, options: Parameters<TestNode["claim"]>[1]) => {
      const claim = own.claim(uniqueName(name), options);
      const started = await own.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
      return { ...started, claim };
    };
    const left = await start("left", { devices: first, config: hostConfig("192.168.100", "192.168.200") });
    const right = await start("right", { devices: second, config: hostConfig("192.168.200", "192.168.100") });
    const atRouter = (name: string, network: string) => ({
      interface: { name, addresses: [`${network}.2/24`], forwarding: true },
    });
    const router = await start("router", {
      devices: { one: firstAtRouter, two: secondAtRouter },
      configs: { one: atRouter("eth1", "192.168.100"), two: atRouter("eth2", "192.168.200") },
    });

    const exec = async (...command: string[]) => (await own.pods.exec(left.containerId, ...command)).stdout;
    expect(await exec("ip", "route", "show", "table", "main")).not.toContain("192.168.200");
    await eventually("the other pod answers", async () =>
      (await exec("ping", "-c", "1", "-W", "1", "192.168.200.10")).includes(" 0% packet loss"),
    );

    for (const { pod, claim } of [left, router, right]) await own.kubelet.endPod(pod, [claim]);
    for (const ifname of all) await eventually(`${ifname} is home`, () => hasLink(ifname));
  },
  LIMIT_MS,
);
