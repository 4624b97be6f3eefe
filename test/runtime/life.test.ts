/** The main job on real parts: prepare, attach, use, return, with the host as it was before. */

import { describe, expect, test } from "bun:test";
import { SLICES } from "../fakes/api-server.ts";
import { eventually } from "../fakes/eventually.ts";
import { expectHostState, type HostState, hostState } from "../lab/host-state.ts";
import { type HostLinks, hasLink, ip, uniqueName, writeSysctl } from "../lab/links.ts";
import type { TestNode } from "../lab/node.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";

const TEST_LIMIT_MS = 60_000;

describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  const at = nodeForTests({ suite, agent: {} });

  /** The device is offered once a scan has seen the link. */
  const offered = (device: string) =>
    eventually(`${device} is offered`, () => publishedDevice(at.node, device) !== undefined);

  test(
    "a veth end with much state goes into its pod as asked and comes home as it was",
    async () => {
      const { ifname, netns, peer } = at.links.vethToPeer(["10.66.0.1/24", "fd66::1/64"]);
      const second = at.links.vethToPeer(["10.67.0.1/24"]).ifname;
      giveMuchState(at.links, ifname, second);
      await settled(ifname);
      const before = hostState(ifname);
      const beforeMs = Date.now();
      await offered(ifname);

      const peerMac =
        (JSON.parse(ip("-n", netns, "-j", "link", "show", peer)) as { address: string }[])[0]?.address ?? "";
      const claim = at.node.claim(uniqueName("life"), {
        devices: ifname,
        config: {
          interface: {
            name: "net1",
            addresses: ["10.66.0.9/24", "fd66::9/64"],
            mtu: 1400,
            hardwareAddr: "02:00:00:66:00:09",
          },
          routes: [
            { destination: "10.99.0.0/16", gateway: "10.66.0.1" },
            { destination: "10.98.0.0/16", gateway: "10.66.0.1", table: 77 },
            { destination: "192.0.2.0/24", scope: 253 },
          ],
          rules: [{ source: "10.66.0.9/32", table: 77, priority: 500 }],
          neighbors: [{ destination: "10.66.0.1", hardwareAddr: peerMac }],
        },
      });
      const { pod, containerId } = await at.node.kubelet.startPod({
        name: claim.name,
        uid: claim.podUid,
        claims: [claim],
      });
      const inPod = async (...command: string[]) => (await at.node.pods.exec(containerId, ...command)).stdout;
      const netnsPath = (await at.node.pods.netns(pod)) ?? "";
      const fromHost = (...args: string[]) =>
        Bun.spawnSync(["nsenter", `--net=${netnsPath}`, "ip", ...args]).stdout.toString();

      expect(hasLink(ifname)).toBe(false);
      expect(fromHost("link", "show", "net1")).toContain("mtu 1400");
      expect(fromHost("link", "show", "net1")).toContain("02:00:00:66:00:09");
      expect(fromHost("addr", "show", "net1")).toContain("inet 10.66.0.9/24");
      expect(fromHost("addr", "show", "net1")).toContain("inet6 fd66::9/64");
      expect(fromHost("route", "show", "table", "all")).toContain("10.99.0.0/16 via 10.66.0.1 dev net1");
      expect(fromHost("route", "show", "table", "77")).toContain("10.98.0.0/16 via 10.66.0.1 dev net1");
      expect(fromHost("route")).toContain("192.0.2.0/24 dev net1");
      expect(fromHost("rule")).toContain("500:\tfrom 10.66.0.9 lookup 77");
      expect(fromHost("neigh", "show", "dev", "net1")).toContain(`10.66.0.1 lladdr ${peerMac} PERMANENT`);
      expect(await inPod("ping", "-c", "1", "-W", "2", "10.66.0.1")).toContain(" 0% packet loss");

      await at.node.kubelet.endPod(pod, [claim]);
      await expectAsBefore(ifname, before, beforeMs);
      expect(ip("route", "show", "table", "100")).toContain("blackhole 10.55.0.0/16");
    },
    TEST_LIMIT_MS,
  );

  test(
    "a macvlan goes into its pod and comes home as it was",
    async () => {
      const parent = at.links.vethToPeer(["10.68.0.1/24"]).ifname;
      const ifname = uniqueName("m");
      at.links.run(["link", "set", parent, "up"]);
      at.links.run(
        ["link", "add", ifname, "link", parent, "type", "macvlan", "mode", "bridge"],
        ["link", "del", ifname],
      );
      ip("addr", "add", "10.68.0.5/24", "dev", ifname);
      ip("link", "set", ifname, "up");
      await settled(ifname);
      const before = hostState(ifname);
      const beforeMs = Date.now();
      await offered(ifname);
      const claim = at.node.claim(uniqueName("mac"), { devices: ifname, config: { interface: { name: "net1" } } });
      const { pod, containerId } = await at.node.kubelet.startPod({
        name: claim.name,
        uid: claim.podUid,
        claims: [claim],
      });
      // Nothing was configured, so it has the address that it had on the host.
      expect((await at.node.pods.exec(containerId, "ip", "addr", "show", "net1")).stdout).toContain("10.68.0.5/24");
      expect((await at.node.pods.exec(containerId, "ping", "-c", "1", "-W", "2", "10.68.0.1")).stdout).toContain(
        " 0% packet loss",
      );
      await at.node.kubelet.endPod(pod, [claim]);
      await expectAsBefore(ifname, before, beforeMs);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a link that was down comes home down",
    async () => {
      const { ifname } = at.links.vethToPeer();
      ip("addr", "add", "10.69.0.1/24", "dev", ifname);
      const before = hostState(ifname);
      const beforeMs = Date.now();
      await offered(ifname);
      const claim = at.node.claim(uniqueName("down"), {
        devices: ifname,
        config: { interface: { name: "net1", addresses: ["10.69.0.9/24"] } },
      });
      const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
      expect(hasLink(ifname)).toBe(false);
      await at.node.kubelet.endPod(pod, [claim]);
      await expectAsBefore(ifname, before, beforeMs);
      expect(JSON.stringify(before.link)).not.toContain('"UP"');
    },
    TEST_LIMIT_MS,
  );

  test(
    "a device is published with the same bytes before, during and after its claim",
    async () => {
      const { ifname } = at.links.vethToPeer(["10.70.0.1/24"]);
      ip("addr", "add", "10.70.0.2/24", "dev", ifname);
      ip("link", "set", ifname, "up");
      await settled(ifname);
      await offered(ifname);
      await at.agent.settled();
      const before = publishedDevice(at.node, ifname);
      expect(before).toContain("10.70.0.2/24");
      const claim = at.node.claim(uniqueName("same"), { devices: ifname, config: { interface: { name: "net1" } } });
      const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
      await at.agent.settled();
      expect(publishedDevice(at.node, ifname)).toBe(before);
      await at.node.kubelet.endPod(pod, [claim]);
      await settled(ifname);
      await at.agent.settled();
      expect(publishedDevice(at.node, ifname)).toBe(before);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a slice that somebody deletes comes back, and nothing is written while nothing changes",
    async () => {
      const { ifname } = at.links.vethToPeer();
      await offered(ifname);
      // Links of other tests may come and go meanwhile: what counts is a period in which nothing did.
      let [writes, before] = [0, ""];
      await eventually(
        "nothing changes for a while",
        async () => {
          [writes, before] = [at.node.api.writes.length, publishedDevices(at.node)];
          await at.agent.settled();
          return publishedDevices(at.node) === before;
        },
        20_000,
      );
      expect(at.node.api.writes.length).toBe(writes);
      for (const slice of at.node.api.store.list(SLICES)) at.node.api.store.remove(SLICES, String(slice.metadata.name));
      await eventually(`${ifname} is published again`, () => publishedDevice(at.node, ifname) !== undefined, 10_000);
    },
    TEST_LIMIT_MS,
  );

  test(
    "nothing is left in the store, the CDI directory or the metrics when all pods are gone",
    async () => {
      expect(await at.agent.metric("dranet_driver_held_namespaces")).toBe(0);
      expect(await at.agent.metric("dranet_driver_receipts")).toBe(0);
      expect(await at.agent.metric('dranet_driver_devices{state="attached"}')).toBe(0);
      expect(at.agent.log.filter((line) => line.level === "error")).toEqual([]);
    },
    TEST_LIMIT_MS,
  );
});

/** All entries of the node's slices, as text. */
function publishedDevices(node: TestNode): string {
  return JSON.stringify(node.api.store.list(SLICES).map((slice) => slice.spec?.["devices"]));
}

/** The device's entry in the node's slices, as text. */
function publishedDevice(node: TestNode, name: string): string | undefined {
  const devices = node.api.store.list(SLICES).flatMap((slice) => slice.spec?.["devices"] as { name: string }[]);
  const found = devices.find((device) => device.name === name);
  return found === undefined ? undefined : JSON.stringify(found);
}

/** Two v4 and one v6 address, one with a lifetime; routes of several kinds; a neighbour, altname, alias, queue, sysctl. */
function giveMuchState(links: HostLinks, ifname: string, second: string): void {
  ip("link", "set", ifname, "txqueuelen", "777", "alias", "uplink of rack 7", "up");
  ip("link", "property", "add", "dev", ifname, "altname", `${ifname}-port0`);
  ip("link", "set", second, "up");
  ip("addr", "add", "10.66.0.2/24", "dev", ifname);
  ip("addr", "add", "10.66.1.2/24", "dev", ifname, "valid_lft", "3600", "preferred_lft", "1800");
  ip("addr", "add", "10.67.0.2/24", "dev", second);
  ip("-6", "addr", "add", "fd66::2/64", "dev", ifname, "nodad");
  const blackhole = ["blackhole", "10.55.0.0/16", "table", "100"];
  links.run(["route", "replace", ...blackhole], ["route", "del", ...blackhole]);
  ip(
    "route",
    "add",
    "10.54.0.0/16",
    "table",
    "100",
    "nexthop",
    "via",
    "10.66.0.1",
    "dev",
    ifname,
    "weight",
    "2",
    "nexthop",
    "via",
    "10.67.0.1",
    "dev",
    second,
  );
  ip(
    "route",
    "add",
    "10.53.0.0/16",
    "via",
    "10.66.0.1",
    "dev",
    ifname,
    "metric",
    "250",
    "mtu",
    "1300",
    "src",
    "10.66.0.2",
  );
  ip("-6", "route", "add", "fd53::/64", "via", "fd66::1", "dev", ifname, "metric", "300");
  ip("neigh", "add", "10.66.0.77", "lladdr", "02:00:00:00:00:77", "nud", "permanent", "dev", ifname);
  writeSysctl("ipv4", ifname, "rp_filter", "2");
  writeSysctl("ipv6", ifname, "mtu", "1290");
}

/** Link-local addresses leave the tentative state by themselves. */
function settled(ifname: string): Promise<void> {
  return eventually(
    `${ifname} has no tentative address`,
    () => !ip("addr", "show", "dev", ifname).includes("tentative"),
  );
}

async function expectAsBefore(ifname: string, before: HostState, beforeMs: number): Promise<void> {
  await eventually(`${ifname} is home`, () => hasLink(ifname));
  await expectHostState(ifname, before, (state) => ({ ...state, lifetimes: {} }));
  const after = hostState(ifname);
  const elapsedSeconds = Math.ceil((Date.now() - beforeMs) / 1000);
  expect(Object.keys(after.lifetimes)).toEqual(Object.keys(before.lifetimes));
  for (const [address, seconds] of Object.entries(before.lifetimes)) {
    const left = after.lifetimes[address] ?? 0;
    expect(left).toBeLessThanOrEqual(seconds);
    expect(left).toBeGreaterThanOrEqual(seconds - elapsedSeconds - 1);
  }
}
