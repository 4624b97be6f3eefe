/** What the inventory is made from: what a scan of the host's namespace reads. */

import type { Address } from "../netlink/address.ts";
import type { Link } from "../netlink/link.ts";
import type { Route } from "../netlink/route.ts";
import type { RdmaFacts } from "../rdma/facts.ts";
import type { LinkLocation } from "../sysfs/net.ts";
import type { NumaNode } from "../sysfs/numa.ts";
import type { PciDevice } from "../sysfs/pci.ts";

export interface InventoryFacts {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  /** Routes of type RTN_UNICAST with prefix length 0, of all tables. */
  readonly defaultRoutes: readonly Route[];
  /** By address: index of the link towards it; an unreachable one is left out. */
  readonly routedBy: Readonly<Record<string, number>>;
  /** By ifname. */
  readonly locations: Readonly<Record<string, LinkLocation>>;
  readonly pci: readonly PciDevice[];
  /** Absent when nobody looked. */
  readonly numaNodes?: readonly NumaNode[];
  readonly rdma: RdmaFacts;
  /** By ifname: the eBPF programs at the links that have any; absent when nobody looked. */
  readonly programs?: Readonly<Record<string, ProgramNames>>;
  /** One sentence for each kind of fact that this host does not have or does not tell. */
  readonly unseen?: readonly string[];
}

export interface ProgramNames {
  readonly tcFilterNames: readonly string[];
  readonly tcxProgramNames: readonly string[];
}
