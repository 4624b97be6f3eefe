/** Who may set what: some fields have effects beyond the pod, and are the DeviceClass's alone. */

import { FIELDS, isGiven, isOneOf, RESERVED, SECTIONS, valueAt, WHOLE_FIELDS } from "./field-table.ts";
import { suggestion } from "./nearest.ts";
import type { Problem } from "./zod-problems.ts";

export interface Authority {
  /** `--strict-claims`: DRANET's way to close to claims what changes a link's identity or its programs. */
  readonly strictClaims: boolean;
  /** `--claim-may-set`: fields or sections that claims may set all the same. */
  readonly claimMaySet: readonly string[];
}

export const DEFAULT_AUTHORITY: Authority = { strictClaims: false, claimMaySet: [] };

/** What `--strict-claims` closes. */
export const STRICT: ReadonlySet<string> = new Set(["interface.hardwareAddr", "interface.disableEbpfPrograms"]);

/** One problem for each field that a claim sets and may not. `value` is as the user wrote it. */
export function authorityProblems(value: unknown, { strictClaims, claimMaySet }: Authority): Problem[] {
  return Object.entries(FIELDS).flatMap(([path, { classOnly = false, free = [] }]) => {
    const given = valueAt(value, path);
    const isClosed = classOnly || (strictClaims && STRICT.has(path));
    if (!isClosed || !isGiven(given) || isOneOf(free, given) || isWithin(claimMaySet, path)) return [];
    const why = classOnly ? "has an effect beyond the pod" : "is closed to claims by --strict-claims";
    const text = `${why}: only a DeviceClass may set it, unless netferry runs with --claim-may-set=${path}`;
    return [{ path: path.split("."), text }];
  });
}

/** Whether a list of paths names this field, or something that it is a part of. */
export function isWithin(paths: Iterable<string>, path: string): boolean {
  for (const one of paths) if (one === path || path.startsWith(`${one}.`)) return true;
  return false;
}

/** The value of `--claim-may-set`: paths between commas. Throws an Error that completes `"value" …`. */
export function parseClaimMaySet(text: string): readonly string[] {
  const known = [...SECTIONS, ...WHOLE_FIELDS, ...(RESERVED[""] ?? [])];
  const paths = text
    .split(",")
    .map((path) => path.trim())
    .filter((path) => path !== "");
  const wrong = paths.find((path) => !known.includes(path));
  if (wrong !== undefined)
    throw new Error(
      `holds ${JSON.stringify(wrong)}, which is no field of the configuration${suggestion(wrong, known)}`,
    );
  return Object.freeze([...new Set(paths)]);
}
