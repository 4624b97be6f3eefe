/** What is wrong with a key that the configuration does not have. */

import { keysBeside, RESERVED } from "./field-table.ts";
import { suggestion } from "./nearest.ts";

export function unknownKey(path: readonly PropertyKey[], key: string): string {
  const section = path.filter((part) => typeof part === "string").join(".");
  if (key === "overridable" && section === "") return "may stand in a DeviceClass only";
  if (RESERVED[section]?.includes(key)) return "is not served in this version of netferry";
  const known = section === "" ? [...keysBeside(section), "overridable"] : keysBeside(section);
  return `is not a field of the configuration${suggestion(key, known)}`;
}
