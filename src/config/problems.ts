/** What zod found wrong → one line each, in the reader's words: `routes[2].gateway: is required`. */

import type { z } from "zod";
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

export function problemsOf(error: z.ZodError, value: unknown): string[] {
  const lines = error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(issue.path, key));
    return [line(issue.path, sentence(issue, valueAt(value, issue.path)))];
  });
  // A field may be refused by its type and, for the same reason, by a check that looks at several fields.
  const seen = new Set<string>();
  return lines.filter((text) => {
    const path = text.slice(0, text.indexOf(": "));
    return !seen.has(path) && seen.add(path);
  });
}

/** `routes[2].gateway`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

function line(path: readonly PropertyKey[], problem: string): string {
  return `${formatPath(path) || "configuration"}: ${problem}`;
}

function unknownKey(path: readonly PropertyKey[], key: string): string {
  const section = String(path[0] ?? "");
  if (key === "overridable" && section === "") return line([key], "may stand in a DeviceClass only");
  if (UNSERVED[section]?.includes(key))
    return line([...path, key], "is DRANET's and not served in this version of netferry");
  return line([...path, key], `is not a field of the configuration${suggestion(key, FIELDS[section] ?? [])}`);
}

function sentence(issue: z.core.$ZodIssue, given: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return given === undefined || given === null
        ? "is required"
        : `must be ${article(issue.expected)}, not ${kindOf(given)}`;
    case "invalid_value":
      return `${JSON.stringify(given)} is not one of ${issue.values.map(String).join(", ")}`;
    default:
      return issue.message;
  }
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined),
    value,
  );
}

function kindOf(value: unknown): string {
  return value === null ? "null" : article(Array.isArray(value) ? "array" : typeof value);
}

function article(kind: string): string {
  const word = kind === "array" ? "list" : kind === "string" ? "text" : kind;
  if (word === "text") return word;
  return /^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`;
}
