/** A lease's life in a pod: taken in Prepare, extended inside the namespace, lost, found again, with udhcpd as the peer. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { endClaim } from "../../src/attach/prepare.ts";
import { eventually } from "../fakes/eventually.ts";
import { AddressLab, CLAIM } from "../lab/address-lab.ts";
import { DhcpServer } from "../lab/dhcp-servers.ts";
import { ip } from "../lab/links.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

const LIMIT_MS = 60_000;
const RANGE = { start: "10.94.0.50", end: "10.94.0.59", seconds: 6 };

let lab: AddressLab;
beforeEach(async () => {
  lab = await AddressLab.start(["10.94.0.1/24"]);
});
afterEach(() => lab[Symbol.asyncDispose]());

test(
  "a lease becomes address and routes in the pod, is extended there by two agents, and is released",
  async () => {
    await using server = await DhcpServer.udhcpd(lab.place, RANGE, [
      "router 10.94.0.1",
      "staticroutes 10.95.0.0/16 0.0.0.0, 10.96.0.0/16 10.94.0.7",
    ]);
    await lab.agent(async (agent) => {
      const routes = [{ destination: "10.96.0.0/16", gateway: "10.94.0.9" }];
      await lab.prepare(agent, { interface: { name: "net1", dhcp: true }, routes });
      await lab.attach(agent);
      const given = lab.record.lease?.address ?? "";
      expect(lab.address()).toMatchObject({ local: given });
      expect(lab.address()?.valid_life_time).toBeWithin(1, RANGE.seconds + 1);
      const shown = lab.pod.json("-4", "route", "show", "dev", "net1");
      // The one that is configured takes the place of the server's.
      expect(shown).toContainEqual(expect.objectContaining({ dst: "10.95.0.0/16", protocol: "dhcp", metric: 1024 }));
      expect(shown).toContainEqual(expect.objectContaining({ dst: "10.96.0.0/16", gateway: "10.94.0.9" }));
      expect(shown.filter(({ dst }) => dst === "default" || dst === "10.96.0.0/16")).toHaveLength(1);
      await lab.extended();
      await lab.extended();
      expect(lab.address()?.valid_life_time).toBeWithin(1, RANGE.seconds + 1);
      expect(server.count(/sending ACK/)).toBeGreaterThanOrEqual(3);
    });
    await lab.agent(async ({ ferry, leases }) => {
      await lab.extended();
      expect(lab.address()?.valid_life_time).toBeWithin(1, RANGE.seconds + 1);
      await endClaim({ ferry, store: lab.store, leases }, CLAIM.uid);
    });
    expect(new Set(lab.events)).toEqual(new Set(["taken", "extended", "released"]));
    expect(lab.changes).toEqual([]);
  },
  LIMIT_MS,
);

test(
  "a macvlan of the pod gets a lease for its own hardware address, and keeps it",
  async () => {
    ip("link", "set", lab.ifname, "up");
    await using server = await DhcpServer.udhcpd(lab.place, RANGE);
    await lab.agent(async (agent) => {
      await lab.prepare(agent, { interface: { name: "net1", type: "MACVLAN", addressing: "DHCP" } });
      await lab.attach(agent);
      const [link] = lab.pod.json("link", "show", "dev", "net1");
      expect(lab.record.lease?.hardwareAddress).toBe(link.address);
      await lab.extended();
      await lab.extended();
      expect(lab.address()?.local).toBe(lab.record.lease?.address);
      expect(server.count(/sending ACK/)).toBeGreaterThanOrEqual(3);
      await agent.ferry.detachClaim(CLAIM.uid);
    });
  },
  LIMIT_MS,
);

test(
  "an address that its server refuses is taken off the link at once, and another one is asked for",
  async () => {
    await lab.agent(async (agent) => {
      {
        const lease = { ...RANGE, seconds: 12 };
        await using _server = await DhcpServer.udhcpd(lab.place, lease, ["router 10.94.0.1"]);
        await lab.prepare(agent, { interface: { name: "net1", addressing: "DHCP" } });
        await lab.attach(agent);
      }
      expect(lab.address()?.local).toStartWith("10.94.0.5");
      await using _server = await DhcpServer.dnsmasq(lab.place, "10.94.0.70,10.94.0.79", ["option:router"]);
      await eventually("there is another address", () => lab.address()?.local.startsWith("10.94.0.7") === true, 30_000);
      await eventually("it is told", () => lab.changes.length === 2);
      expect(lab.events).toEqual(["taken", "refused", "taken"]);
      expect(lab.changes.map(({ lease }) => lease?.lost?.reason)).toEqual(["refused", undefined]);
      expect(lab.pod.json("-4", "route", "show", "default")).toEqual([]);
      expect(lab.lines.join()).toContain("DHCP lease is lost");
      await agent.ferry.detachClaim(CLAIM.uid);
    });
  },
  LIMIT_MS,
);

test(
  "a lease whose server is no longer found where it was is extended by asking everybody",
  async () => {
    await using server = await DhcpServer.udhcpd(lab.place, { ...RANGE, seconds: 16 });
    await lab.agent(async (agent) => {
      await lab.prepare(agent, { interface: { name: "net1", addressing: "DHCP" } });
      await lab.attach(agent);
      const { takenAtMs = 0, rebindAfterSeconds = 0 } = lab.record.lease ?? {};
      // Frames for its former hardware address reach nobody.
      ip("-n", lab.place.netns, "link", "set", lab.place.ifname, "address", "02:00:00:00:94:99");
      await lab.extended();
      expect((lab.record.lease?.takenAtMs ?? 0) - takenAtMs).toBeGreaterThanOrEqual(rebindAfterSeconds * 1000);
      expect(lab.events).toEqual(["taken", "extended"]);
      expect(server.count(/sending ACK/)).toBe(2);
      await agent.ferry.detachClaim(CLAIM.uid);
    });
  },
  LIMIT_MS,
);

test(
  "an address that nobody extends is gone when its time is over, and comes back with the server",
  async () => {
    await lab.agent(async (agent) => {
      {
        await using _server = await DhcpServer.udhcpd(lab.place, { ...RANGE, seconds: 3 });
        await lab.prepare(agent, { interface: { name: "net1", addressing: "DHCP" } });
        await lab.attach(agent);
      }
      await eventually("the lease has expired", () => lab.record.lease?.lost?.reason === "expired", 20_000);
      await eventually("the address is gone", () => lab.address() === undefined);
      await using _server = await DhcpServer.udhcpd(lab.place, RANGE);
      await eventually("there is an address again", () => lab.address() !== undefined, 40_000);
      await eventually("it is told", () => lab.changes.length >= 2);
      expect(lab.events.slice(0, 3)).toEqual(["taken", "expired", "taken"]);
      await agent.ferry.detachClaim(CLAIM.uid);
    });
  },
  LIMIT_MS,
);
