/** Runs in an emulated machine: what our reader of NETLINK_RDMA finds is what iproute2 and /dev say. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { holdNetns, inNetns } from "../../../ffi/netns.ts";
import { NetlinkSocket } from "../../../src/netlink/socket.ts";
import { NETLINK_RDMA } from "../../../src/rdma/constants.ts";
import { charDevice, listDevices, listPorts, netnsMode } from "../../../src/rdma/nldev.ts";
import { HostLinks, ip } from "../../lab/links.ts";

interface IpDevice {
  readonly ifindex: number;
  readonly ifname: string;
  readonly protocol: string;
  readonly node_guid: string;
}

interface IpPort {
  readonly ifname: string;
  readonly port: number;
  readonly state: string;
  readonly netdev?: string;
}

const hasSiw = Bun.spawnSync(["modinfo", "siw"]).success;
let links: HostLinks;

beforeEach(() => {
  links = new HostLinks();
  for (const [ifname, kind] of [["dum0", "rxe"], ...(hasSiw ? [["dum1", "siw"]] : [])] as const) {
    links.run(["link", "add", ifname, "type", "dummy"], ["link", "del", ifname]);
    ip("link", "set", ifname, "up");
    rdma("link", "add", `${kind}0`, "type", kind, "netdev", ifname);
  }
});
afterEach(() => links[Symbol.dispose]()); // an RDMA device goes with its netdev

function rdma(...args: readonly string[]): string {
  const result = Bun.spawnSync(["rdma", ...args]);
  if (!result.success) throw new Error(`rdma ${args.join(" ")}: ${result.stderr.toString().trim()}`);
  return result.stdout.toString();
}

test("listDevices() and listPorts() tell what `rdma` tells", () => {
  using socket = new NetlinkSocket(NETLINK_RDMA);
  const devices = listDevices(socket);
  const expected = JSON.parse(rdma("-j", "-d", "dev")) as IpDevice[];
  expect(devices).toHaveLength(hasSiw ? 2 : 1);
  expect(devices.map(({ index, name, nodeGuid, protocol }) => [index, name, nodeGuid, protocol])).toEqual(
    expected.map((device) => [device.ifindex, device.ifname, device.node_guid, device.protocol]),
  );
  const ports = devices.flatMap((device) => listPorts(socket, device).map((port) => [device.name, port] as const));
  expect(ports.map(([name, { number, state, ifname }]) => [name, number, state, ifname])).toEqual(
    (JSON.parse(rdma("-j", "link")) as IpPort[]).map((port) => [port.ifname, port.port, port.state, port.netdev]),
  );
});

test("netnsMode() is the mode that the module was loaded with", () => {
  using socket = new NetlinkSocket(NETLINK_RDMA);
  expect(rdma("system")).toStartWith(`netns ${netnsMode(socket)} `);
  expect(readFileSync("/proc/cmdline", "utf8")).toContain(
    `ib_core.netns_mode=${netnsMode(socket) === "shared" ? 1 : 0}`,
  );
});

test("charDevice() finds the files of /dev/infiniband, and says that there is none of a type", () => {
  using socket = new NetlinkSocket(NETLINK_RDMA);
  const [rxe] = listDevices(socket);
  if (rxe === undefined) throw new Error("there is no RDMA device");
  const found = [charDevice(socket, "uverbs", rxe), charDevice(socket, "umad", rxe, 1), charDevice(socket, "rdma_cm")];
  for (const device of found) {
    const { rdev } = statSync(`/dev/infiniband/${device?.name}`);
    expect([device?.major, device?.minor]).toEqual([(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)]);
  }
  expect(charDevice(socket, "issm", rxe, 1)).toBeUndefined(); // Soft-RoCE has no subnet management
});

test("a namespace sees all devices in shared mode, and none of ours in exclusive mode", () => {
  links.run(["netns", "add", "other"], ["netns", "del", "other"]);
  using other = holdNetns("/run/netns/other").fd;
  using socket = inNetns(other.fd, () => new NetlinkSocket(NETLINK_RDMA));
  const names = listDevices(socket).map(({ name }) => name);
  expect(names).toEqual(netnsMode(socket) === "shared" ? (hasSiw ? ["rxe0", "siw0"] : ["rxe0"]) : []);
  // In shared mode too a netdev is told to its own namespace alone.
  for (const device of listDevices(socket))
    for (const port of listPorts(socket, device)) expect(port.ifname).toBeUndefined();
});
