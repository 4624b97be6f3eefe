/** Which fields of a configuration this version does not serve: they are refused, never passed over in silence. */

import { FIELDS, isGiven, isOneOf, valueAt } from "./field-table.ts";
import type { Problem } from "./zod-problems.ts";

/** One problem for each field that asks for something that is not served. `value` is as the user wrote it. */
export function unservedProblems(value: unknown): Problem[] {
  return Object.entries(FIELDS).flatMap(([path, { served, harmless = [] }]) => {
    if (served !== false) return [];
    const given = valueAt(value, path);
    if (!isGiven(given) || isOneOf(harmless, given)) return [];
    const what = typeof given === "string" ? `${JSON.stringify(given)} is` : "is";
    return [{ path: path.split("."), text: `${what} not served in this version of netferry` }];
  });
}
