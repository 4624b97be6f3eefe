/** Which configuration makes sense for a device that has no link. Pure. */

import type { NetworkConfig } from "../config/network-config.ts";
import { ClaimError } from "../lib/errors.ts";

/** DRANET takes these for an RDMA-only device without looking at them. */
const IGNORED: readonly string[] = ["forwarding", "vrf"] satisfies readonly (keyof NonNullable<
  NetworkConfig["interface"]
>)[];
const SECTIONS = ["routes", "rules", "neighbors", "ethtool"] as const;

/** Refuses, with a ClaimError that lists them all, fields that only a link can have. */
export function refuseLinkFields(config: NetworkConfig, device: string): void {
  const given = [
    ...Object.entries(config.interface ?? {}).flatMap(([field, value]) =>
      IGNORED.includes(field) || asksForNothing(value) ? [] : [`interface.${field}`],
    ),
    ...SECTIONS.filter((section) => !asksForNothing(config[section])),
  ];
  if (given.length > 0)
    throw new ClaimError(
      `device ${device} has no network interface to move into the pod, so its configuration cannot hold ${given.join(", ")}: take that out, or select a device with the attribute ifName`,
    );
}

function asksForNothing(value: unknown): boolean {
  if (value === undefined || value === false || value === "Passthrough" || value === "Static") return true;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
