/** A policy rule as RTM_NEWRULE describes it (linux/fib_rules.h). */

import type { RawAttribute } from "./attributes.ts";

export interface Rule {
  readonly family: "ipv4" | "ipv6";
  readonly priority: number;
  /** CIDR; absent means all. */
  readonly source?: string;
  readonly destination?: string;
  /** Name of the link by which packets come in (`lo`: made here) or go out. */
  readonly iif?: string;
  readonly oif?: string;
  readonly table: number;
  /** FR_ACT_*: 1 to a table, 6 blackhole, 7 unreachable, 8 prohibit. */
  readonly action: number;
  readonly tos: number;
  /** FIB_RULE_*: 2 invert. */
  readonly flags: number;
  /** Everything else (marks, ports, protocol, uid range …), to be sent back unchanged. */
  readonly attributes: readonly RawAttribute[];
}

export const FR_ACT_TO_TBL = 1;
