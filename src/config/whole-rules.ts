/**
 * What a configuration must be as a whole, DeviceClasses and claim together: each of them alone may leave a part to the
 * other.
 */

import { isSubInterface, wantsDhcp } from "./interface-rules.ts";
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

const LINK_SECTIONS = ["interface", "routes", "rules", "neighbors", "ethtool"] as const;

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
  ...(["vf", "driver"] as const).map((section) => ({
    path: [section],
    holds: ({ interface: link = {}, ...config }: NetworkConfig) =>
      !isSubInterface(link) || isEmpty(config[section] ?? {}),
    text: "cannot be given with a sub-interface: it is the device's, which stays on the host",
  })),
  {
    path: ["driver"],
    holds: ({ driver, rdmaExclusive, umad, issm }) =>
      driver === undefined || ![rdmaExclusive, umad, issm].includes(true),
    text: "takes the RDMA device away, so that rdmaExclusive, umad and issm ask for what is not there",
  },
  {
    path: ["vf", "vlan"],
    holds: ({ interface: link = {}, vf }) => vf?.vlan === undefined || !wantsDhcp(link),
    text: "cannot be given with DHCP: the lease is taken on the host before the VF is in its VLAN",
  },
  {
    path: ["vf", "mac"],
    holds: ({ interface: link = {}, vf = {} }) =>
      link.hardwareAddr === undefined || vf.mac === undefined || link.hardwareAddr === vf.mac,
    text: "must be the address of interface.hardwareAddr: a VF cannot have another one than its PF gives it",
  },
  {
    path: ["driver"],
    holds: ({ driver, ...config }) =>
      driver === undefined || LINK_SECTIONS.every((name) => isEmpty(config[name] ?? {})),
    text: `takes the link away, so that there is nothing for ${LINK_SECTIONS.join(", ")} to be applied to: leave them out`,
  },
];

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

export function wholeProblems(config: NetworkConfig): Problem[] {
  return RULES.filter(({ holds }) => !holds(config)).map(({ path, text }) => ({ path, text }));
}
