/** Addresses by router advertisement in a pod, with radvd as the router. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { deviceStatuses } from "../../src/kube/device-status.ts";
import { eventually } from "../fakes/eventually.ts";
import { AddressLab, CLAIM, SLAAC_MS } from "../lab/address-lab.ts";
import { settled } from "../lab/claim-life.ts";
import { ip, writeSysctl } from "../lab/links.ts";
import { Radvd } from "../lab/radvd.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

const LIMIT_MS = 30_000;
const PREFIX = "fd00:97::";
/** The link's hardware address, and what RFC 4291 makes of it. */
const MAC = "02:00:00:00:97:05";
const ADDRESS = `${PREFIX}ff:fe00:9705/64`;

let lab: AddressLab;
beforeEach(async () => {
  lab = await AddressLab.start([`${PREFIX}1/64`, "10.97.0.1/24"]);
  ip("link", "set", lab.ifname, "address", MAC, "up");
  ip("addr", "add", "10.97.0.5/24", "dev", lab.ifname);
  await settled(lab.ifname);
});
afterEach(() => lab[Symbol.asyncDispose]());

function status() {
  const [device] = deviceStatuses([lab.record], "dra.net", new Map());
  const condition = device?.conditions.find(({ type }) => type === "SLAACReady");
  return { ips: device?.networkData?.ips, condition: [condition?.status, condition?.reason] };
}

test(
  "a link gets its address from the pod's router, keeps IPv4, leaves IPv6 at home, and its routes come after",
  async () => {
    await using _router = await Radvd.start(lab.place, `${PREFIX}/64`);
    ip("addr", "add", "fd00:98::5/64", "dev", lab.ifname, "nodad");
    await lab.agent(async (agent) => {
      await lab.prepare(agent, {
        interface: { name: "net1", addressing: "SLAAC" },
        // The kernel takes a gateway only once the router has said that it is on the link.
        routes: [{ destination: "fd00:99::/64", gateway: `${PREFIX}1` }],
      });
      await lab.attach(agent);
      expect(lab.record.attachment?.slaac).toEqual({ addresses: [ADDRESS] });
      expect(status()).toEqual({ ips: ["10.97.0.5/24", ADDRESS], condition: ["True", "AddressReady"] });
      const shown = lab.pod.ip("addr", "show", "dev", "net1");
      expect(shown).toContain(`inet6 ${ADDRESS} scope global`);
      expect(shown).not.toContain("tentative");
      expect(shown).toContain("inet 10.97.0.5/24");
      expect(shown).not.toContain("fd00:98::5");
      expect(lab.pod.json("-6", "route", "show", "fd00:99::/64")).toMatchObject([{ gateway: `${PREFIX}1` }]);
      expect(lab.pod.json("-6", "route", "show", "default")).toMatchObject([{ protocol: "ra", dev: "net1" }]);
      const keys = ["accept_ra", "disable_ipv6", "dad_transmits", "router_solicitation_interval"];
      expect(keys.map((key) => lab.pod.sysctl(`net/ipv6/conf/net1/${key}`))).toEqual(["2", "0", "0", "1"]);
      await agent.ferry.detachClaim(CLAIM.uid);
      expect(ip("addr", "show", "dev", lab.ifname)).toContain("fd00:98::5/64");
    });
  },
  LIMIT_MS,
);

test(
  "without a router the pod gets its link in time, with a reason, and the address once it comes",
  async () => {
    await lab.agent(async (agent) => {
      await lab.prepare(agent, { interface: { name: "net1", addressing: "SLAAC", hardwareAddr: "02:00:00:00:97:06" } });
      const beginMs = performance.now();
      await lab.attach(agent);
      expect(performance.now() - beginMs).toBeGreaterThanOrEqual(SLAAC_MS);
      expect(lab.record.attachment?.slaac).toMatchObject({
        reason: "NoAddress",
        problem: `within ${SLAAC_MS / 1000} s no router advertised a prefix to make an address of that no other node has`,
      });
      expect(status()).toEqual({ ips: ["10.97.0.5/24"], condition: ["False", "NoAddress"] });
      // A new hardware address may be another node's: it is looked for.
      expect(lab.pod.sysctl("net/ipv6/conf/net1/dad_transmits")).toBe("1");
      await using _router = await Radvd.start(lab.place, `${PREFIX}/64`);
      await eventually("the address is told", () => lab.changes.length === 1, 15_000);
      expect(status().condition).toEqual(["True", "AddressReady"]);
      expect(status().ips).toContain(`${PREFIX}ff:fe00:9706/64`);
      await agent.ferry.detachClaim(CLAIM.uid);
    });
  },
  LIMIT_MS,
);

test(
  "IPv6 is on for a link whose pod has none, with an address of the claim's and with one of a router's",
  async () => {
    for (const which of ["all", "default"])
      lab.pod.exec("sh", "-c", `echo 1 >/proc/sys/net/ipv6/conf/${which}/disable_ipv6`);
    const other = lab.links.vethToPeer();
    await using _router = await Radvd.start(lab.place, `${PREFIX}/64`);
    await lab.agent(async (agent) => {
      const configured = { name: "net2", addresses: ["fd00:98::7/64"], disableIPv6: false };
      await lab.prepare(
        agent,
        { interface: { name: "net1", addressing: "SLAAC" } },
        { [other.ifname]: { interface: configured } },
      );
      await lab.attach(agent);
      expect(lab.pod.ip("-6", "addr", "show", "dev", "net1")).toContain(`inet6 ${ADDRESS} scope global`);
      expect(lab.pod.ip("-6", "addr", "show", "dev", "net2")).toContain("inet6 fd00:98::7/64 scope global");
      await agent.ferry.detachClaim(CLAIM.uid);
    });
  },
  LIMIT_MS,
);

test(
  "links of one pod wait side by side: two without a router as long as one, and a third has its address meanwhile",
  async () => {
    const [silent, answered] = [lab.links.vethToPeer(), lab.links.vethToPeer([`${PREFIX}1/64`])];
    writeSysctl("ipv6", answered.ifname, "accept_ra", "0");
    ip("link", "set", answered.ifname, "up");
    await using _router = await Radvd.start({ netns: answered.netns, ifname: answered.peer }, `${PREFIX}/64`);
    await lab.agent(async (agent) => {
      const slaac = (name: string) => ({ interface: { name, addressing: "SLAAC" } });
      await lab.prepare(agent, slaac("net1"), { [silent.ifname]: slaac("net2"), [answered.ifname]: slaac("net3") });
      const beginMs = performance.now();
      await lab.attach(agent);
      expect(performance.now() - beginMs).toBeWithin(SLAAC_MS, 2 * SLAAC_MS);
      const states = lab.store.records.map(({ plan, attachment }) => [plan.ifname, attachment?.slaac]);
      expect(Object.fromEntries(states)).toMatchObject({
        net1: { addresses: [], reason: "NoAddress" },
        net2: { addresses: [], reason: "NoAddress" },
        net3: { addresses: [expect.stringContaining(PREFIX)] },
      });
      expect(Object.fromEntries(states).net3?.reason).toBeUndefined();
      await agent.ferry.detachClaim(CLAIM.uid);
    });
  },
  LIMIT_MS,
);
