/** Addresses from the network, through a real containerd: a lease's whole life, and an address by router advertisement. */

import { expect, test } from "bun:test";
import { eventually } from "../fakes/eventually.ts";
import { settled } from "../lab/claim-life.ts";
import { DhcpServer, type ServerPlace } from "../lab/dhcp-servers.ts";
import { expectHostState, hostState } from "../lab/host-state.ts";
import { hasLink, ip, uniqueName, writeSysctl } from "../lab/links.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";
import { Radvd } from "../lab/radvd.ts";
import { refusal } from "../lab/refusal.ts";
import type { ClaimRef } from "../lab/runtime/kubelet.ts";

const TEST_LIMIT_MS = 90_000;
const LEASE_SECONDS = 8;

const at = nodeForTests();

function device(address: string): { readonly ifname: string; readonly place: ServerPlace } {
  const { ifname, peer, netns } = at.links.vethToPeer([address]);
  // The kernel gives a link its queueing discipline when it is up for the first time, and leaves it that.
  ip("link", "set", ifname, "up");
  ip("link", "set", ifname, "down");
  return { ifname, place: { netns, ifname: peer } };
}

interface DeviceStatus {
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  readonly networkData?: { readonly ips?: readonly string[] };
}

function status(claim: ClaimRef): { readonly ips: readonly string[]; readonly condition: (type: string) => string } {
  const path = `/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/${claim.name}`;
  const { devices = [] } = (at.node.api.store.get(path)?.["status"] ?? {}) as { devices?: readonly DeviceStatus[] };
  const [shown] = devices;
  const conditions = shown?.conditions ?? [];
  return {
    ips: shown?.networkData?.ips ?? [],
    condition: (type) => {
      const found = conditions.find((one) => one.type === type);
      return `${found?.status} ${found?.reason}`;
    },
  };
}

/** The link's first address of the family in the pod, with the seconds that it has left. */
function addressIn(
  netns: string,
  family: "inet" | "inet6",
): { readonly local: string; readonly seconds: number } | undefined {
  const shown = Bun.spawnSync([
    "nsenter",
    `--net=${netns}`,
    "ip",
    "-j",
    "addr",
    "show",
    "dev",
    "net1",
  ]).stdout.toString();
  const [link] = JSON.parse(shown || "[]") as {
    addr_info: { family: string; scope: string; local: string; valid_life_time: number }[];
  }[];
  const found = link?.addr_info.find((one) => one.family === family && one.scope === "global");
  return found && { local: found.local, seconds: found.valid_life_time };
}

test(
  "a claimed link gets a lease at Prepare, keeps it in the pod and beyond the agent's death, and gives it back at Unprepare",
  async () => {
    const { ifname, place } = device("10.101.0.1/24");
    const before = hostState(ifname);
    const agent = await at.node.agent();
    const claim = at.node.claim(uniqueName("lease"), {
      devices: ifname,
      config: { interface: { name: "net1", dhcp: true } },
    });
    let netns = "";
    const renewed = async (logs: { readonly log: readonly { readonly message: string }[] }) => {
      const count = () => logs.log.filter(({ message }) => message === "DHCP lease extended").length;
      const known = count();
      await eventually("the lease is extended", () => count() > known, 20_000);
      expect(addressIn(netns, "inet")?.seconds).toBeWithin(1, LEASE_SECONDS + 1);
    };
    let address = "";
    {
      await using _server = await DhcpServer.udhcpd(
        place,
        { start: "10.101.0.50", end: "10.101.0.50", seconds: LEASE_SECONDS },
        ["router 10.101.0.1"],
      );
      const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
      netns = (await at.node.pods.netns(pod)) ?? "";
      address = addressIn(netns, "inet")?.local ?? "";
      expect(address).toBe("10.101.0.50");
      const routes = Bun.spawnSync([
        "nsenter",
        `--net=${netns}`,
        "ip",
        "route",
        "show",
        "dev",
        "net1",
      ]).stdout.toString();
      expect(routes).toContain("default via 10.101.0.1 proto dhcp src 10.101.0.50 metric 1024");
      await eventually("the claim's status tells it", () => status(claim).ips.includes(`${address}/24`));
      expect(status(claim).condition("DHCPReady")).toBe("True LeaseHeld");
      await renewed(agent);
      await agent.kill();
      const next = await at.node.agent();
      await renewed(next);
      expect(await next.metric('dranet_driver_dhcp_leases_total{event="extended"}')).toBeGreaterThanOrEqual(1);
      // Unprepare by another agent than the one that took the lease.
      await at.node.kubelet.endPod(pod, [claim]);
      await next.logged(({ message }) => message === "DHCP lease released");
      expect(await next.metric('dranet_driver_dhcp_leases_total{event="released"}')).toBe(1);
    }
    await eventually(`${ifname} is home`, () => hasLink(ifname));
    await expectHostState(ifname, before);
  },
  TEST_LIMIT_MS,
);

test(
  "a Prepare that no server answers changes nothing; a lease that no pod came for is released by the next agent",
  async () => {
    const { ifname, place } = device("10.102.0.1/24");
    const before = hostState(ifname);
    const agent = await at.node.agent({ args: ["--dhcp-timeout", "1s"] });
    const claim = at.node.claim(uniqueName("none"), {
      devices: ifname,
      config: { interface: { name: "net1", addressing: "DHCP" } },
    });
    expect(await refusal(at.node.kubelet.prepare(claim))).toContain(
      `there is no DHCP lease for ${ifname} after 1 s: no DHCP server answered`,
    );
    await expectHostState(ifname, before);
    await using server = await DhcpServer.dnsmasq(place, "10.102.0.50,10.102.0.60");
    await at.node.kubelet.prepare(claim);
    await expectHostState(ifname, before);
    expect(server.count(/DHCPACK/)).toBe(1);
    await agent.kill();
    await at.node.agent();
    await at.node.kubelet.unprepare(claim);
    await eventually("dnsmasq has heard it", () => server.log.includes(`DHCPRELEASE(${place.ifname})`));
    await eventually("dnsmasq has forgotten the lease", () => server.leases.trim() === "");
    await expectHostState(ifname, before);
  },
  TEST_LIMIT_MS,
);

test(
  "a link that is up for a question when the agent is killed is down again with the next agent",
  async () => {
    const { ifname } = device("10.106.0.1/24");
    ip("addr", "add", "fd00:106::5/64", "dev", ifname);
    const before = hostState(ifname);
    const first = await at.node.agent({ faults: "kill:dhcp.linkUp" });
    const claim = at.node.claim(uniqueName("killed"), { devices: ifname, config: { interface: { dhcp: true } } });
    await refusal(at.node.kubelet.prepare(claim));
    await first.died();
    expect(ip("link", "show", "dev", ifname)).toContain(",UP");
    await at.node.agent();
    await expectHostState(ifname, before);
  },
  TEST_LIMIT_MS,
);

/** A link of the host whose router advertises a prefix, and that has an address of another one. */
async function routed(): Promise<{ readonly ifname: string; readonly router: Radvd }> {
  const { ifname, place } = device("fd00:103::1/64");
  // With a default route of the router it would be the host's own way out, which is not offered.
  writeSysctl("ipv6", ifname, "accept_ra", "0");
  ip("link", "set", ifname, "up");
  ip("addr", "add", "fd00:104::5/64", "dev", ifname, "nodad");
  await settled(ifname);
  return { ifname, router: await Radvd.start(place, "fd00:103::/64") };
}

function slaacClaim(ifname: string) {
  const config = { interface: { name: "net1", addressing: "SLAAC" } };
  return at.node.claim(uniqueName("slaac"), { devices: ifname, config });
}

test(
  "a claimed link has its address by router advertisement before a container starts",
  async () => {
    const { ifname, router } = await routed();
    await using _router = router;
    await at.node.agent();
    const claim = slaacClaim(ifname);
    const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
    const netns = (await at.node.pods.netns(pod)) ?? "";
    const address = addressIn(netns, "inet6")?.local ?? "";
    expect(address).toStartWith("fd00:103::");
    await eventually("the claim's status tells it", () => status(claim).ips.includes(`${address}/64`));
    expect(status(claim).condition("SLAACReady")).toBe("True AddressReady");
    await at.node.kubelet.endPod(pod, [claim]);
    await eventually(`${ifname} is home`, () => hasLink(ifname));
    expect(ip("addr", "show", "dev", ifname)).toContain("fd00:104::5/64");
  },
  TEST_LIMIT_MS,
);

test(
  "killed while it waits for a router: the next agent goes on with the link that is in the pod",
  async () => {
    const { ifname, router } = await routed();
    await using _router = router;
    const first = await at.node.agent({ faults: "kill:attach.waiting" });
    const claim = slaacClaim(ifname);
    await at.node.kubelet.prepare(claim);
    const pod = await at.node.pods.run({ name: claim.name, uid: claim.podUid });
    await first.died();
    await at.node.agent();
    await eventually("the claim's status tells its address", () =>
      status(claim).ips.some((one) => one.startsWith("fd00:103::")),
    );
    const netns = (await at.node.pods.netns(pod)) ?? "";
    expect(status(claim).ips).toContain(`${addressIn(netns, "inet6")?.local}/64`);
    await at.node.kubelet.endPod(pod, [claim]);
    await eventually(`${ifname} is home`, () => hasLink(ifname));
    expect(ip("addr", "show", "dev", ifname)).toContain("fd00:104::5/64");
  },
  TEST_LIMIT_MS,
);

test(
  "a pod whose router is silent starts with a condition that says so",
  async () => {
    const { ifname } = device("10.105.0.1/24");
    const agent = await at.node.agent({ args: ["--slaac-ready-timeout", "300ms"] });
    const claim = at.node.claim(uniqueName("still"), {
      devices: ifname,
      config: { interface: { name: "net1", addressing: "SLAAC" } },
    });
    const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
    await agent.logged(({ message }) => message === "device attached");
    await eventually("the claim's status tells it", () => status(claim).condition("SLAACReady") === "False NoAddress");
    expect(status(claim).condition("Ready")).toBe("True NetworkDeviceReady");
    await at.node.kubelet.endPod(pod, [claim]);
  },
  TEST_LIMIT_MS,
);
