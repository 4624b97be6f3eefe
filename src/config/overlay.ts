/**
 * One configuration over another: objects field by field, lists item by item, where an item of the upper one takes the
 * place of that with the same key. A value that is given counts, `false`, `0` and `""` too.
 */

import type { NetworkConfig } from "./network-config.ts";

type Tree = Readonly<Record<string, unknown>>;

const RT_TABLE_MAIN = 254;

/** What makes two items of a list the same entry. Items of the other lists are their own keys. */
const LIST_KEYS: Readonly<Record<string, (item: Tree) => string>> = {
  routes: ({ destination, table }) => `${destination} table ${table || RT_TABLE_MAIN}`,
  neighbors: ({ destination }) => String(destination),
};

export function overlay(lower: NetworkConfig, upper: NetworkConfig): NetworkConfig {
  return overlayTree(lower as Tree, upper as Tree, "") as NetworkConfig;
}

function overlayTree(lower: Tree, upper: Tree, path: string): Tree {
  const merged: Record<string, unknown> = { ...lower };
  for (const [key, value] of Object.entries(upper)) {
    merged[key] = overlayValue(lower[key], value, path === "" ? key : `${path}.${key}`);
  }
  return merged;
}

function overlayValue(lower: unknown, upper: unknown, path: string): unknown {
  if (Array.isArray(upper)) {
    const items = [...(Array.isArray(lower) ? lower : []), ...upper];
    // A Map keeps the place of a key that is set again.
    return [...new Map(items.map((item) => [itemKey(path, item), item])).values()];
  }
  return isTree(lower) && isTree(upper) ? overlayTree(lower, upper, path) : upper;
}

export interface Contradiction {
  /** `interface.mtu`, or `routes 10.0.0.0/8 table 254` for an item of a list. */
  readonly what: string;
  readonly lower: unknown;
  readonly upper: unknown;
}

/** Where `upper` gives another value than `lower`, outside of the paths for which `isFree` answers true. */
export function contradictions(
  lower: NetworkConfig,
  upper: NetworkConfig,
  isFree: (path: string) => boolean,
): Contradiction[] {
  const compare = (below: unknown, above: unknown, path: string): Contradiction[] => {
    if (below === undefined || isFree(path)) return [];
    if (Array.isArray(below) && Array.isArray(above)) return compareItems(below, above, path);
    if (isTree(below) && isTree(above)) {
      return Object.entries(above).flatMap(([key, value]) =>
        compare(below[key], value, path === "" ? key : `${path}.${key}`),
      );
    }
    return textOf(below) === textOf(above) ? [] : [{ what: path, lower: below, upper: above }];
  };
  return compare(lower, upper, "");
}

function compareItems(lower: readonly unknown[], upper: readonly unknown[], path: string): Contradiction[] {
  const known = new Map(lower.map((item) => [itemKey(path, item), item]));
  return upper.flatMap((item) => {
    const key = itemKey(path, item);
    const other = known.get(key);
    return other === undefined || textOf(other) === textOf(item)
      ? []
      : [{ what: `${path} ${key}`, lower: other, upper: item }];
  });
}

/**
 * `lower` without the lists that `upper` gives and may replace: where items are their own keys, to give another value
 * can only mean to give another list.
 */
export function withoutReplaced(
  lower: NetworkConfig,
  upper: NetworkConfig,
  isFree: (path: string) => boolean,
): NetworkConfig {
  const strip = (below: Tree, above: Tree, path: string): Tree =>
    Object.fromEntries(
      Object.entries(below).flatMap(([key, value]) => {
        const at = path === "" ? key : `${path}.${key}`;
        const given = above[key];
        if (Array.isArray(value)) {
          return Array.isArray(given) && LIST_KEYS[at] === undefined && isFree(at) ? [[key, []]] : [[key, value]];
        }
        return [[key, isTree(value) && isTree(given) ? strip(value, given, at) : value]];
      }),
    );
  return strip(lower as Tree, upper as Tree, "") as NetworkConfig;
}

function itemKey(path: string, item: unknown): string {
  const key = LIST_KEYS[path];
  return key !== undefined && isTree(item) ? key(item) : textOf(item);
}

/** The same text for the same fields, in whatever order they were written. */
function textOf(value: unknown): string {
  if (!isTree(value)) return JSON.stringify(value);
  return JSON.stringify(Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
