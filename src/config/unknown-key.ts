/** What is wrong with a key that the configuration does not have. */

import { suggestion } from "./nearest.ts";

/** DRANET's fields that this version does not have: a user must not think that they are misspelt. */
const UNSERVED: Readonly<Record<string, readonly string[]>> = {
  "": ["profile", "ethtool", "subInterface"],
  interface: [
    "dhcp",
    "gsoMaxSize",
    "groMaxSize",
    "gsoIPv4MaxSize",
    "groIPv4MaxSize",
    "disableEbpfPrograms",
    "forwarding",
    "arpIgnore",
    "arpAnnounce",
    "vrf",
    "type",
    "addressing",
    "ipvlan",
    "acceptRA",
    "dadTransmits",
    "routerSolicitationDelay",
    "routerSolicitationInterval",
    "disableIPv6",
    "addrGenMode",
  ],
};

/** Which fields stand beside an unknown one. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  "": ["interface", "routes", "rules", "neighbors", "overridable"],
  interface: ["name", "addresses", "mtu", "hardwareAddr"],
  routes: ["destination", "gateway", "source", "scope", "table"],
  rules: ["priority", "table", "source", "destination"],
  neighbors: ["destination", "hardwareAddr"],
};

export function unknownKey(path: readonly PropertyKey[], key: string): string {
  const section = String(path[0] ?? "");
  if (key === "overridable" && section === "") return "may stand in a DeviceClass only";
  if (UNSERVED[section]?.includes(key)) return "is DRANET's and not served in this version of netferry";
  return `is not a field of the configuration${suggestion(key, FIELDS[section] ?? [])}`;
}
