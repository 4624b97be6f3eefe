/**
 * `--filter` as DRANET reads it (pkg/filter): the variable `attributes` maps full attribute names to the Go struct
 * DeviceAttribute. True keeps a device, and so does an expression that fails on it; false and what is no bool drop it.
 */

import { loadCel } from "./cel.ts";
import { DEFAULT_FILTER } from "./default-filter.ts";

/** What the filter needs of an attribute; exactly one member is there. */
export type FilterAttribute =
  | { readonly string: string }
  | { readonly int: number }
  | { readonly bool: boolean }
  | { readonly version: string }
  | { readonly ints: readonly number[] };
export type FilterAttributes = Readonly<Record<string, FilterAttribute>>;

export interface FilterDecision {
  readonly keep: boolean;
  /** Why the expression could not be evaluated, or was no bool: worth a line in the log. */
  readonly problem?: string;
}
export type DeviceFilter = (attributes: FilterAttributes) => FilterDecision;

/** Members of DeviceAttribute in resource/v1 types.go, with the list ones of newer releases. */
const MEMBERS = [
  ...["IntValue", "BoolValue", "StringValue", "VersionValue"],
  ...["IntValues", "BoolValues", "StringValues", "VersionValues"],
];

/** `source` is the text of the flag; empty keeps everything. Rejects with a ConfigError. */
export async function compileFilter(source: string): Promise<DeviceFilter> {
  if (source.trim() === "") return () => ({ keep: true });
  // Most nodes run with the default: for them the CEL library need not be loaded at all.
  if (source === DEFAULT_FILTER) return defaultFilter;
  return compileCelFilter(source);
}

/** The same without the short cut for the default, for another `flag` too. */
export async function compileCelFilter(source: string, flag = "--filter"): Promise<DeviceFilter> {
  const { compile } = await loadCel(() => ({ variables: { attributes: { elementFields: MEMBERS } } }));
  const program = compile(source, flag);
  return (attributes) => {
    const outcome = program({
      attributes: new Map(Object.entries(attributes).map(([name, value]) => [name, structOf(value)])),
    });
    if ("error" in outcome) return { keep: true, problem: outcome.error };
    if (typeof outcome.value === "boolean") return { keep: outcome.value };
    return { keep: false, problem: "the expression is neither true nor false" };
  };
}

function defaultFilter(attributes: FilterAttributes): FilterDecision {
  const type = attributes["dra.net/type"];
  return { keep: type === undefined || !("string" in type) || type.string !== "veth" };
}

type MemberValue = string | bigint | boolean | readonly bigint[] | null;

/** Members without a value compare as null. */
function structOf(attribute: FilterAttribute): Map<string, MemberValue> {
  const struct = new Map<string, MemberValue>(MEMBERS.map((member) => [member, null]));
  if ("string" in attribute) struct.set("StringValue", attribute.string);
  else if ("int" in attribute) struct.set("IntValue", BigInt(attribute.int));
  else if ("bool" in attribute) struct.set("BoolValue", attribute.bool);
  else if ("ints" in attribute) struct.set("IntValues", attribute.ints.map(BigInt));
  else struct.set("VersionValue", attribute.version);
  return struct;
}
