/** Consumable capacity (KEP-5075): the real scheduler gives one device to several claims, and each pod gets its own link. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, pod } from "../lab/cluster/workload.ts";
import { uniqueName } from "../lab/links.ts";
import { isHome, NetferryLab } from "./netferry-lab.ts";
import { RELEASE } from "./release.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 180_000;

let lab: NetferryLab;

beforeAll(async () => {
  lab = await NetferryLab.start({
    // Beta, and on, from 1.36 on.
    ...(RELEASE === "1.34" ? { featureGates: { DRAConsumableCapacity: true } } : {}),
    install: { args: ["--shareable=true", "--max-shares=2"] },
  });
}, START_LIMIT_MS);
afterAll(() => lab[Symbol.asyncDispose](), LIMIT_MS);

test(
  "two pods share a device under share ids of their own, a third claim waits, and nobody gets the device itself",
  async () => {
    const link = await lab.macvlan();
    const expression = `device.allowMultipleAllocations && ${byName(link.ifname)}`;
    const names = ["one", "two", "three"].map((name) => uniqueName(name));
    const [one = "", two = "", three = ""] = names;
    const create = (name: string, config: object) =>
      lab.workload.create(
        claim(name, { requests: { nic: expression }, config: { interface: { name: "net1", ...config } } }),
        pod(name, { claims: { net: name } }),
      );
    const prefix = link.address.replace(/\.9\/24$/, "");
    await create(one, { type: "MACVLAN", addresses: [`${prefix}.11/24`] });
    await lab.workload.podReady(one);
    // A child stands on the device: whoever wants it whole is told who has it.
    await create(two, { addresses: [`${prefix}.12/24`] });
    const reason = `is the parent of a link of claim default/${one} of pod default/${one}, and cannot be passed through`;
    const said = async () => (await lab.workload.events(two)).some(({ message }) => message.includes(reason));
    await until("the pod's events say why", said, 60_000);
    await create(three, { type: "MACVLAN" });
    const scheduled = async () => (await lab.workload.claim(three)).status?.allocation !== undefined;
    expect(await scheduled()).toBe(false);
    await lab.workload.deletePods(two);
    await lab.workload.deleteClaims(two);
    await lab.workload.podReady(three);

    expect(await lab.workload.exec(one, ["ping", "-c", "1", "-W", "2", link.peer])).toContain(" 0% packet loss");
    expect(await lab.workload.exec(three, ["ip", "link", "show", "net1"])).toContain("mtu 1450");
    const shares = new Set<unknown>();
    for (const name of [one, three]) {
      const { allocation, devices } = JSON.parse(JSON.stringify((await lab.workload.claim(name)).status));
      const [result] = allocation.devices.results;
      expect(result).toMatchObject({ device: link.ifname, consumedCapacity: { "dra.net/subInterfaces": "1" } });
      expect(devices).toMatchObject([{ device: link.ifname, shareID: result.shareID }]);
      shares.add(result.shareID);
    }
    expect(shares.size).toBe(2);
    await lab.workload.deletePods(one, three);
    await isHome(link);
    await lab.workload.deleteClaims(one, three);
  },
  LIMIT_MS,
);
