/**
 * What can be done to one link, as values: a plan and a restore are both lists of these. Every step can be run again
 * and then changes nothing. A step on a link knows neither its namespace nor its index: the request that carries it does.
 */

import type { Address } from "../netlink/address.ts";
import type { Settings, Switches } from "../netlink/ethtool.ts";
import type { SettingsGroup } from "../netlink/ethtool-settings.ts";
import type { Neighbor } from "../netlink/neighbor.ts";
import type { Route } from "../netlink/route.ts";
import type { Rule } from "../netlink/rule.ts";

/** Below `/proc/sys/net`: `ipv4/conf/<link>/forwarding`. Values are the file's text without the newline. */
export interface LinkSysctl {
  readonly family: "ipv4" | "ipv6";
  readonly table: "conf" | "neigh";
  readonly key: string;
  readonly value: string;
}

export type LinkStep =
  | { readonly op: "rename"; readonly ifname: string }
  | { readonly op: "setAddress"; readonly address: string }
  | { readonly op: "setMtu"; readonly mtu: number }
  | { readonly op: "setTxQueueLen"; readonly txQueueLen: number }
  | { readonly op: "setGroup"; readonly group: number }
  | { readonly op: "setAlias"; readonly alias: string }
  | { readonly op: "addAltname"; readonly altname: string }
  | { readonly op: "removeAltname"; readonly altname: string }
  | {
      readonly op: "setOffloadSizes";
      readonly gsoMaxSize?: number;
      readonly gsoMaxSegs?: number;
      readonly groMaxSize?: number;
      readonly gsoIpv4MaxSize?: number;
      readonly groIpv4MaxSize?: number;
    }
  | { readonly op: "setMaster"; readonly master: number }
  /** The same by the master's name. */
  | { readonly op: "joinMaster"; readonly masterName: string }
  /** Into the VRF of that name, which is made when it is missing, and forwards where the link does. */
  | { readonly op: "joinVrf"; readonly name: string; readonly table: number; readonly forwards?: boolean }
  /** Off with every XDP, TCX and tc program. */
  | { readonly op: "detachPrograms" }
  /**
   * By the kernel's names. Those that do not become so are a failure; with `isWish` it is enough that the kernel has
   * noted them, and does them once nothing else is in the way.
   */
  | { readonly op: "setFeatures"; readonly features: Switches; readonly isWish?: true }
  | { readonly op: "setPrivateFlags"; readonly flags: Switches }
  | { readonly op: "setSettings"; readonly group: SettingsGroup; readonly values: Settings }
  /** `optional`: nothing is wrong where the kernel has no such sysctl for the link. */
  | { readonly op: "setSysctl"; readonly sysctl: LinkSysctl; readonly optional?: true }
  | { readonly op: "up" }
  | { readonly op: "down" }
  | { readonly op: "addAddress"; readonly address: Address }
  | { readonly op: "removeAddress"; readonly address: Address }
  | { readonly op: "addRoute"; readonly route: Route }
  | { readonly op: "removeRoute"; readonly route: Route }
  | { readonly op: "addRule"; readonly rule: Rule }
  | { readonly op: "removeRule"; readonly rule: Rule }
  | { readonly op: "addNeighbor"; readonly neighbor: Neighbor }
  | { readonly op: "removeNeighbor"; readonly neighbor: Neighbor };
