/** Leases taken and given back over a link of the host, with Debian's DHCP servers as peers. */

import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { type LeaseEvent, Leases } from "../../src/attach/leases.ts";
import { ClaimStore } from "../../src/claims/store.ts";
import { claimDevice } from "../../src/claims/testing.ts";
import { type KernelWorkers, startKernel } from "../../src/kernel/client.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { describeError } from "../../src/lib/errors.ts";
import { createLogger } from "../../src/lib/log.ts";
import { eventually } from "../fakes/eventually.ts";
import { settled } from "../lab/claim-life.ts";
import { DhcpServer, type ServerPlace } from "../lab/dhcp-servers.ts";
import { expectHostState, hostState } from "../lab/host-state.ts";
import { HostLinks, ip, ipJson } from "../lab/links.ts";
import { failOnLeaks } from "../leaks.ts";

failOnLeaks();

setDefaultTimeout(30_000);

const TIMEOUT_MS = 4_000;
const never = new AbortController().signal;

let links: HostLinks;
let kernel: KernelWorkers;
let store: ClaimStore;
let events: LeaseEvent[];
let lines: string[];

beforeEach(async () => {
  links = new HostLinks();
  store = ClaimStore.open(":memory:", "boot");
  events = [];
  lines = [];
  kernel = await startKernel({
    createWorker: () => new Worker(new URL("../../src/kernel/worker.ts", import.meta.url)),
    log: createLogger({ level: "warn", write: (line) => lines.push(line) }),
  });
});
afterEach(async () => {
  await kernel[Symbol.asyncDispose]();
  expect(store.raisedLinks.all()).toEqual([]);
  store[Symbol.dispose]();
  links[Symbol.dispose]();
});

function leases(timeoutMs = TIMEOUT_MS): Leases {
  return new Leases({
    kernel: kernel.scan,
    clock: systemClock,
    log: createLogger({ level: "info", write: (line) => lines.push(line) }),
    timeoutMs,
    raised: store.raisedLinks,
    onEvent: (event) => events.push(event),
  });
}

function device(): { readonly ifname: string; readonly place: ServerPlace } {
  const { ifname, peer, netns } = links.vethToPeer(["10.91.0.1/24"]);
  // The kernel gives a link its queueing discipline when it is up for the first time, and leaves it that.
  ip("link", "set", ifname, "up");
  ip("link", "set", ifname, "down");
  return { ifname, place: { netns, ifname: peer } };
}

function snapshot(ifname: string) {
  const [{ ifindex }] = ipJson("link", "show", "dev", ifname) as [{ ifindex: number }];
  return kernel.scan.snapshotLink({ netns: "host", ifindex });
}

test("Leases.take() has address, routes, MTU and times of dnsmasq, over a link that is down before and after", async () => {
  const { ifname, place } = device();
  // What the kernel flushes from a link that goes down.
  ip("addr", "add", "fd00:91::5/64", "dev", ifname);
  ip("neigh", "add", "10.91.0.9", "lladdr", "02:00:00:00:00:09", "dev", ifname, "nud", "permanent");
  const before = hostState(ifname);
  await using server = await DhcpServer.dnsmasq(place, "10.91.0.50,10.91.0.50", [
    "option:router,10.91.0.1",
    "option:mtu,1400",
    "option:T1,50",
    "option:T2,100",
    "121,10.92.0.0/16,10.91.0.1,10.93.0.0/16,0.0.0.0,0.0.0.0/0,10.91.0.2",
  ]);
  const lease = await leases().take(await snapshot(ifname), undefined, undefined, never);
  const address = (ipJson("link", "show", "dev", ifname) as [{ address: string }])[0].address;
  expect(Math.abs(systemClock.upMs() - (lease.takenUpMs ?? 0))).toBeLessThan(60_000);
  expect(lease).toMatchObject({
    address: "10.91.0.50",
    prefixLength: 24,
    server: "10.91.0.1",
    hardwareAddress: address,
    seconds: 120,
    renewAfterSeconds: 50,
    rebindAfterSeconds: 100,
    mtu: 1400,
    routes: [
      { destination: "10.92.0.0/16", gateway: "10.91.0.1" },
      { destination: "10.93.0.0/16" },
      { destination: "0.0.0.0/0", gateway: "10.91.0.2" },
    ],
  });
  expect(lease.serverHardwareAddress).toBe(linkAddress(place));
  expect(server.leases).toContain(`${address} 10.91.0.50`);
  await expectHostState(ifname, before);
  expect(events).toEqual(["taken"]);
});

test("Leases.take() takes the router alone, and asks for the address that the link will have in the pod", async () => {
  const { ifname, place } = device();
  ip("link", "set", ifname, "up");
  await settled(ifname);
  await using server = await DhcpServer.dnsmasq(place, "10.91.0.50,10.91.0.60");
  const hardwareAddress = "02:00:00:00:91:77";
  const lease = await leases().take(await snapshot(ifname), hardwareAddress, undefined, never);
  expect(lease).toMatchObject({ hardwareAddress, routes: [{ destination: "0.0.0.0/0", gateway: "10.91.0.1" }] });
  expect(server.leases).toContain(`${hardwareAddress} ${lease.address}`);
  expect(await leases().take(await snapshot(ifname), hardwareAddress, lease, never)).toBe(lease);
  expect(server.count(/DHCPDISCOVER/)).toBe(1);
  const old = { ...lease, takenAtMs: lease.takenAtMs - 61_000 };
  expect((await leases().take(await snapshot(ifname), hardwareAddress, old, never)).address).toBe(lease.address);
  expect(server.log).toContain(`DHCPDISCOVER(${place.ifname}) ${lease.address}`);
});

test("Leases.take() says that nobody answered, and the link is as it was", async () => {
  const { ifname } = device();
  ip("addr", "add", "fd00:91::5/64", "dev", ifname);
  const before = hostState(ifname);
  const refused = leases(800).take(await snapshot(ifname), undefined, undefined, never);
  expect(await refused.catch(describeError)).toStartWith(
    `there is no DHCP lease for ${ifname} after 0.8 s: no DHCP server answered`,
  );
  await expectHostState(ifname, before);
  expect(events).toEqual([]);
});

test("Leases.take() asks again when its first question is lost", async () => {
  const { ifname, place } = device();
  await using eavesdropper = Bun.spawn(["ip", "netns", "exec", place.netns, "python3", "-c", HEAR_DISCOVER], {
    stdout: "pipe",
  });
  const output = eavesdropper.stdout.getReader();
  await output.read(); // it listens
  const taken = leases(20_000).take(await snapshot(ifname), undefined, undefined, never);
  await output.read(); // the first question went by, and nobody is there yet to answer it
  await using server = await DhcpServer.dnsmasq(place, "10.91.0.50,10.91.0.50");
  expect((await taken).address).toBe("10.91.0.50");
  expect(server.count(/DHCPACK/)).toBe(1);
});

/** Says so when it listens, and when a datagram for a DHCP server has gone by. */
const HEAR_DISCOVER = `
import socket
frames = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
print("listening", flush=True)
while True:
    packet = frames.recv(2048)
    header = (packet[0] & 15) * 4
    if packet[9] == 17 and packet[header + 2 : header + 4] == bytes([0, 67]):
        break
print("heard", flush=True)
`;

test("Leases.take() says that there is no carrier", async () => {
  const { ifname, place } = device();
  ip("-n", place.netns, "link", "set", place.ifname, "down");
  const before = hostState(ifname);
  const refused = leases(400).take(await snapshot(ifname), undefined, undefined, never);
  expect(await refused.catch(describeError)).toContain(`${ifname} has no carrier`);
  await expectHostState(ifname, before);
});

test("Leases.take() ends when nobody waits for it any more", async () => {
  const { ifname } = device();
  const before = hostState(ifname);
  const refused = leases(60_000).take(await snapshot(ifname), undefined, undefined, AbortSignal.timeout(300));
  expect(await refused.catch(describeError)).toContain("no DHCP server answered");
  await expectHostState(ifname, before);
});

test("Leases.release() tells the server, from a link that is down before and after", async () => {
  const { ifname, place } = device();
  await using server = await DhcpServer.dnsmasq(place, "10.91.0.50,10.91.0.60");
  const taken = await leases().take(await snapshot(ifname), undefined, undefined, never);
  const before = hostState(ifname);
  const record = claimDevice({
    device: ifname,
    published: { name: ifname, identity: { ifname, kind: "veth" }, attributes: {} },
    lease: { ...taken, metric: 1024 },
  });
  await leases().release([record]);
  await eventually("dnsmasq has heard it", () => server.log.includes(`DHCPRELEASE(${place.ifname}) ${taken.address}`));
  await eventually("dnsmasq has forgotten the lease", () => !server.leases.includes(taken.address));
  await expectHostState(ifname, before);
  expect(events).toEqual(["taken", "released"]);
});

test("Leases.release() says after a few tries that the server could not be told", async () => {
  const { ifname, place } = device();
  await using _server = await DhcpServer.dnsmasq(place, "10.91.0.50,10.91.0.60");
  const taken = await leases().take(await snapshot(ifname), undefined, undefined, never);
  const record = claimDevice({
    published: { name: "gone", identity: { ifname: "gone" }, attributes: {} },
    lease: { ...taken, metric: 1024 },
  });
  await leases().release([record]);
  expect(events).toEqual(["taken", "release-failed"]);
  expect(lines.join()).toContain("DHCP lease could not be released");
});

function linkAddress({ netns, ifname }: ServerPlace): string {
  return (ipJson("-n", netns, "link", "show", "dev", ifname) as [{ address: string }])[0].address;
}
