/** One command line flag: its text form, its meaning, its parser; and the parsers that several flags share. */

import { isIP } from "node:net";
import { parseDuration } from "./duration.ts";

export interface Flag<T> {
  /** Without dashes. */
  readonly name: string;
  /** Stands alone for true (`--x`, `--x=false`), and never takes the next argument. */
  readonly isBoolean: boolean;
  /** What `--help` shows for the value. */
  readonly placeholder: string;
  /** The default as a user would write it. */
  readonly fallback: string;
  readonly help: string;
  /** Throws an Error whose message completes `"value" …`. `text` is the last of `texts`, as often as the flag was given. */
  readonly parse: (text: string, texts: readonly string[]) => T;
}

/** A flag with a value. */
export function flag<T>(
  name: string,
  placeholder: string,
  fallback: string,
  help: string,
  parse: Flag<T>["parse"],
): Flag<T> {
  return { name, isBoolean: false, placeholder, fallback, help, parse };
}

/** A flag without one. */
export function booleanFlag(name: string, fallback: boolean, help: string): Flag<boolean> {
  return { name, isBoolean: true, placeholder: "", fallback: String(fallback), help, parse: parseBoolean };
}

/** As Go's strconv.ParseBool. */
export function parseBoolean(text: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw new Error("is not true or false");
}

export function parseText(text: string): string {
  return text;
}

/** A file or directory that must be named. */
export function parsePath(text: string): string {
  if (text === "") throw new Error("is no path");
  if (text.includes("\0")) throw new Error("holds a zero byte");
  return text;
}

export function parseDurationMs(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new Error("is not a duration; write for example 500ms, 2s or 1m30s");
  return ms;
}

export function parsePositiveDurationMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms <= 0) throw new Error("must be longer than zero");
  return ms;
}

export function parseInteger(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) throw new Error("is not a whole number");
    if (value < least || value > most) throw new Error(`is not between ${least} and ${most}`);
    return value;
  };
}

/** Go's form of an address to listen on: `:9177`, `127.0.0.1:0`, `[::1]:9177`, `localhost:9177`. */
export function parseListenAddress(text: string): string {
  const found = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (found === null || Number(found[3]) > 65535) {
    throw new Error("is not host:port; write for example :9177 or [::1]:9177");
  }
  if (found[1] !== undefined && isIP(found[1]) !== 6) throw new Error("has no IPv6 address in its brackets");
  return text;
}

/** A Kubernetes driver name: DNS subdomain, at most 63 characters (resource/v1 types.go). */
export function parseDriverName(text: string): string {
  if (text.length > 63) throw new Error("is longer than 63 characters");
  if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(text)) {
    throw new Error(
      "is not a DNS subdomain: lower-case letters, digits, '-' and '.', each part begins and ends with a letter or digit",
    );
  }
  return text;
}

const MOVERS = ["netlink", "oci"] as const;
export type Mover = (typeof MOVERS)[number];

export function parseMover(text: string): Mover {
  const found = MOVERS.find((known) => known === text);
  if (found === undefined) throw new Error(`is not one of ${MOVERS.join(", ")}`);
  return found;
}

/** As Prometheus allows in metric names. */
export function parseMetricsPrefix(text: string): string {
  if (!/^([a-zA-Z_:][a-zA-Z0-9_:]*)?$/.test(text))
    throw new Error("is not the beginning of a metric name (letters, digits, '_', ':')");
  return text;
}

/** Comma-separated; `""` or nothing between two commas is the handler without a name. */
export function parseHandlers(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim().replace(/^""$/, ""));
  const wrong = names.find((name) => !/^[A-Za-z0-9._-]*$/.test(name));
  if (wrong !== undefined) throw new Error(`holds ${JSON.stringify(wrong)}, which is no runtime handler's name`);
  return Object.freeze([...new Set(names)]);
}
