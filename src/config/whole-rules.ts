/**
 * What a configuration must be as a whole, DeviceClasses and claim together: each of them alone may leave a part to the
 * other.
 */

import { isSubInterface } from "./interface-rules.ts";
import type { NetworkConfig } from "./network-config.ts";
import type { Problem } from "./zod-problems.ts";

interface WholeRule {
  readonly path: readonly string[];
  readonly holds: (config: NetworkConfig) => boolean;
  readonly text: string;
}

const KIND_SECTIONS = [
  ["macvlan", "MACVLAN"],
  ["ipvlan", "IPVLAN"],
  ["vlan", "VLAN"],
] as const;

const RULES: readonly WholeRule[] = [
  ...KIND_SECTIONS.map(([section, type]) => ({
    path: ["interface", section],
    holds: ({ interface: link }: NetworkConfig) => link?.[section] === undefined || link.type === type,
    text: `is for type ${type} only`,
  })),
  {
    path: ["interface", "type"],
    holds: ({ interface: link }) => link?.type !== "VLAN" || link.vlan !== undefined,
    text: "VLAN needs interface.vlan.id, which only a DeviceClass may set unless netferry runs with --claim-may-set=interface.vlan",
  },
  {
    path: ["interface", "addressing"],
    holds: ({ interface: link = {} }) => link.addressing !== "Unnumbered" || isSubInterface(link),
    text: "may be Unnumbered for a sub-interface only: give a type other than Passthrough",
  },
  {
    path: ["ethtool"],
    holds: ({ interface: link = {}, ethtool = {} }) =>
      !isSubInterface(link) || Object.values(ethtool).every((group) => Object.keys(group).length === 0),
    text: "cannot be given with a sub-interface: the driver's settings are the device's, which stays on the host",
  },
];

export function wholeProblems(config: NetworkConfig): Problem[] {
  return RULES.filter(({ holds }) => !holds(config)).map(({ path, text }) => ({ path, text }));
}
