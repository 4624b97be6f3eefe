/** A route as RTM_NEWROUTE describes it (linux/rtnetlink.h): what is named here as a field, all else kept as sent. */

import type { RawAttribute } from "./attributes.ts";

export interface NextHop {
  readonly ifindex: number;
  /** RTNH_F_*: 4 ONLINK. Dead, link-down and offload states are not kept. */
  readonly flags: number;
  /** 1 to 256, as `ip route` counts it. */
  readonly weight: number;
  readonly gateway?: string;
  readonly attributes: readonly RawAttribute[];
}

export interface Route {
  readonly family: "ipv4" | "ipv6";
  /** CIDR; `0.0.0.0/0` or `::/0` for a default route. */
  readonly destination: string;
  readonly source?: string;
  readonly table: number;
  /** RTPROT_*: 2 kernel, 3 boot, 4 static, 9 router advertisement, 16 DHCP. */
  readonly protocol: number;
  /** RT_SCOPE_*: 0 universe, 253 link, 254 host, 255 nowhere. */
  readonly scope: number;
  /** RTN_*: 1 unicast, 2 local, 6 blackhole, 7 unreachable, 8 prohibit. */
  readonly type: number;
  readonly tos: number;
  /** RTNH_F_* of a single-path route; 4 is ONLINK. */
  readonly flags: number;
  readonly ifindex?: number;
  readonly gateway?: string;
  readonly preferredSource?: string;
  readonly priority?: number;
  /** Set instead of `ifindex` and `gateway` on a multipath route. */
  readonly nextHops?: readonly NextHop[];
  /** Everything else (metrics, mark, encapsulation, preference, expiry …), to be sent back unchanged. */
  readonly attributes: readonly RawAttribute[];
}

export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;
export const RTPROT_KERNEL = 2;
export const RTPROT_STATIC = 4;
export const RTPROT_DHCP = 16;
export const RTN_UNICAST = 1;
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
