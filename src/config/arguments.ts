/** Cuts a command line into flags and words by the rules of Go's `flag` package, except that words may stand between flags. */

import { ConfigError } from "../lib/errors.ts";
import { suggestion } from "./nearest.ts";

export interface Arguments {
  /** Flag name → its values in the order given. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly words: readonly string[];
}

/** `known` maps flag names (without dashes) to whether they are boolean. Throws a ConfigError with one line. */
export function readArguments(argv: readonly string[], known: ReadonlyMap<string, boolean>): Arguments {
  const flags = new Map<string, string[]>();
  const words: string[] = [];
  const rest = [...argv];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") {
      words.push(...rest.splice(0));
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      words.push(arg);
      continue;
    }
    const found = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(arg);
    const name = found?.[1];
    if (name === undefined) throw new ConfigError(arg, "is not a flag; write --name or --name=value");
    const isBoolean = known.get(name);
    if (isBoolean === undefined)
      throw new ConfigError(
        dashed(name),
        `is not a flag of netferry${suggestion(name, known.keys(), dashed) || ": see netferry help"}`,
      );
    const value = found?.[2] ?? (isBoolean ? "true" : rest.shift());
    if (value === undefined) throw new ConfigError(dashed(name), "needs a value");
    if (isBoolean && found?.[2] === undefined && /^(true|false)$/i.test(rest[0] ?? "")) {
      throw new ConfigError(dashed(name), `takes its value after an equals sign: ${dashed(name)}=${rest[0]}`);
    }
    flags.set(name, [...(flags.get(name) ?? []), value]);
  }
  return { flags, words };
}

/** `--name`, or `-o` for a single letter. */
export function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
