/** What is wrong with a key that the configuration does not have. */

import { keysBeside, RESERVED } from "./field-table.ts";
import { suggestion } from "./nearest.ts";

const NO_RANGES = "addresses are given in interface.addresses, or handed out by a profile";

/** Names from DRANET's branches and pages → where their meaning stands here. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["interface.enableIPv6", "give interface.disableIPv6 as false"],
  ["interface.ipRange", NO_RANGES],
  ["interface.ipRanges", NO_RANGES],
  ["interface.ipvlan.flag", "leave it out, since links of one device reach each other, as with the flag bridge"],
  ["interface.ipvlan.addressing", "give interface.addressing, and interface.addresses"],
  ["interface.ipvlan.copyRoutesFromParent", "give routes, since the device's own stay with it"],
  ["interface.ipvlan.copyNeighborsFromParent", "give neighbors, since the device's own stay with it"],
  ["neighbors.ipAddress", "give neighbors.destination"],
]);

export function unknownKey(path: readonly PropertyKey[], key: string): string {
  const section = path.filter((part) => typeof part === "string").join(".");
  if (key === "overridable" && section === "") return "may stand in a DeviceClass only";
  if (RESERVED[section]?.includes(key)) return "is not served in this version of netferry";
  const elsewhere = ELSEWHERE.get(`${section}.${key}`);
  if (elsewhere !== undefined) return `is not a field of the configuration: ${elsewhere}`;
  const known = section === "" ? [...keysBeside(section), "overridable"] : keysBeside(section);
  return `is not a field of the configuration${suggestion(key, known)}`;
}
