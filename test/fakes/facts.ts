/** Facts of a host, written down by hand: what a test does not say has a plain value. */

import type { InventoryFacts } from "../../src/inventory/facts.ts";
import type { Address } from "../../src/netlink/address.ts";
import type { Link } from "../../src/netlink/link.ts";
import { type Route, RT_TABLE_MAIN, RTN_UNICAST } from "../../src/netlink/route.ts";
import type { PciDevice } from "../../src/sysfs/pci.ts";

const ARPHRD_ETHER = 1;
const IF_OPER_UP = 6;

export function aLink(ifindex: number, ifname: string, more: Partial<Link> = {}): Link {
  return {
    ifindex,
    ifname,
    arpType: ARPHRD_ETHER,
    flags: 1,
    mtu: 1500,
    altnames: [],
    txQueueLen: 1000,
    operstate: IF_OPER_UP,
    group: 0,
    ...more,
  };
}

export function anAddress(ifindex: number, cidr: string, more: Partial<Address> = {}): Address {
  const [local = "", prefixLength = ""] = cidr.split("/");
  const family = local.includes(":") ? "ipv6" : "ipv4";
  return { ifindex, family, local, prefixLength: Number(prefixLength), scope: 0, flags: 0x80, ...more };
}

/** Of the main table, as somebody adds it by hand. */
export function aRoute(more: Partial<Route> = {}): Route {
  return {
    family: "ipv4",
    destination: "10.9.0.0/16",
    table: RT_TABLE_MAIN,
    protocol: 4,
    scope: 0,
    type: RTN_UNICAST,
    tos: 0,
    flags: 0,
    attributes: [],
    ...more,
  };
}

export function aDefaultRoute(ifindex: number | undefined, more: Partial<Route> = {}): Route {
  const destination = more.family === "ipv6" ? "::/0" : "0.0.0.0/0";
  return aRoute({ destination, ...(ifindex === undefined ? {} : { ifindex }), ...more });
}

export function aFunction(address: string, more: Partial<PciDevice> = {}): PciDevice {
  return {
    address,
    classCode: "020000",
    vendor: "15b3",
    device: "1021",
    driver: "mlx5_core",
    ifnames: [],
    rdmaNames: [],
    virtfns: [],
    ...more,
  };
}

export function factsWith(more: Partial<InventoryFacts>): InventoryFacts {
  return {
    links: [],
    addresses: [],
    defaultRoutes: [],
    routedBy: {},
    locations: {},
    pci: [],
    rdma: { supported: false, devices: [] },
    ...more,
  };
}
