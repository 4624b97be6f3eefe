/**
 * Runs in a network and mount namespace of its own: makes links of the kinds that every kernel of ours has, and prints
 * the inventory twice, as two lines of JSON. Links are read by iproute2, so that the test leans on no reader of ours
 * but those of sysfs.
 */

import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { devicesOf } from "../../src/inventory/devices-of.ts";
import type { InventoryFacts } from "../../src/inventory/facts.ts";
import { builtInPciIds } from "../../src/inventory/pci-ids.ts";
import { readRdma } from "../../src/rdma/facts.ts";
import { readLinkLocations } from "../../src/sysfs/net.ts";
import { eventually } from "../fakes/eventually.ts";
import { aDefaultRoute, aLink, anAddress, factsWith } from "../fakes/facts.ts";

const LINKS = `
link add up0 address 02:00:00:00:00:01 type veth peer name up1 address 02:00:00:00:00:02
link add eth1 address 02:00:00:00:00:03 type veth peer name eth1p address 02:00:00:00:00:04
link set eth1 mtu 1400 alias "to the lab's switch"
link set eth1 up
link set eth1p up
address add 10.77.0.2/24 dev eth1
address add 2001:db8:77::2/64 dev eth1 nodad
link add br0 address 02:00:00:00:00:05 type bridge
link add sw0 master br0 address 02:00:00:00:00:06 type veth peer name sw0p address 02:00:00:00:00:07
link add link eth1 name mv.1 address 02:00:00:00:00:08 type macvlan mode bridge
link add vx7 address 02:00:00:00:00:09 type vxlan id 7 local 10.77.0.2 dstport 4789
address add 192.0.2.2/24 dev up0
link set up0 up
link set up1 up
route add default via 192.0.2.1 dev up0
`;

/** The fields of `ip -j` that are read here. */
interface IpLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly link?: string;
  readonly master?: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly operstate: string;
  readonly address?: string;
  readonly ifalias?: string;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: readonly { readonly local: string; readonly prefixlen: number }[];
}

const IFF_LOOPBACK = 8;
const IF_OPER: readonly string[] = ["UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"];

function ip(args: readonly string[], stdin = ""): string {
  const run = Bun.spawnSync(["ip", ...args], { stdin: Buffer.from(stdin), stderr: "inherit" });
  if (!run.success) throw new Error(`ip ${args.join(" ")} failed with ${run.exitCode}`);
  return run.stdout.toString();
}

function readFacts(sysfsRoot: string): InventoryFacts {
  const dump: IpLink[] = JSON.parse(ip(["-d", "-j", "address"]));
  const indexOf = (name: string | undefined) => dump.find((link) => link.ifname === name)?.ifindex;
  const optional = <K extends string, V>(key: K, value: V | undefined) => (value === undefined ? {} : { [key]: value });
  const routes: { readonly dev: string }[] = JSON.parse(ip(["-j", "route", "show", "default"]));
  return factsWith({
    links: dump.map((link) =>
      aLink(link.ifindex, link.ifname, {
        flags: link.flags.includes("LOOPBACK") ? IFF_LOOPBACK : 0,
        mtu: link.mtu,
        operstate: Math.max(0, IF_OPER.indexOf(link.operstate)),
        ...optional("address", link.address),
        ...optional("alias", link.ifalias),
        ...optional("kind", link.linkinfo?.info_kind),
        ...optional("lower", indexOf(link.link)),
        ...optional("master", indexOf(link.master)),
      }),
    ),
    addresses: dump.flatMap((link) =>
      (link.addr_info ?? []).map(({ local, prefixlen }) => anAddress(link.ifindex, `${local}/${prefixlen}`)),
    ),
    defaultRoutes: routes.map((route) => aDefaultRoute(indexOf(route.dev))),
    locations: readLinkLocations(
      sysfsRoot,
      dump.map((link) => link.ifname),
    ),
    rdma: readRdma(sysfsRoot),
    programs: {}, // a fresh namespace has none
  });
}

const sysfsRoot = mkdtempSync(join(tmpdir(), "lab-sysfs-"));
if (!Bun.spawnSync(["mount", "-t", "sysfs", "sysfs", sysfsRoot]).success) throw new Error("cannot mount a sysfs");
ip(["-batch", "-"], LINKS);
// The kernel tells the operational state a moment after the flags.
const isUp = (ifname: string) => readFileSync(`${sysfsRoot}/class/net/${ifname}/operstate`, "utf8") === "up\n";
await eventually("eth1 and its peer are up", () => isUp("eth1") && isUp("eth1p"));
for (let run = 0; run < 2; run++) {
  const options = { domain: "dra.net", moveIbInterfaces: true, pciNames: builtInPciIds };
  const devices = devicesOf(readFacts(sysfsRoot), options).map(({ name, attributes }) => ({ name, attributes }));
  console.log(JSON.stringify(devices));
}
Bun.spawnSync(["umount", sysfsRoot]);
Bun.spawnSync(["rmdir", sysfsRoot]);
