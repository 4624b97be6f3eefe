/** The command line → a frozen Config, or a ConfigError of one line. */

import { ConfigError } from "../lib/errors.ts";
import { dashed, readArguments } from "./arguments.ts";
import { FLAGS, type IgnoredFlag, KLOG_FLAGS, UNSERVED_FLAGS } from "./flag-table.ts";
import { helpText } from "./help.ts";
import { suggestion } from "./nearest.ts";
import { checkProviders, unservedProviderOptions } from "./providers.ts";

type Flags = typeof FLAGS;

/** One field for each flag of the table, parsed: durations in milliseconds, lists as arrays. */
export type Config = { readonly [Key in keyof Flags]: ReturnType<Flags[Key]["parse"]> };

export const OUTPUTS = ["table", "wide", "json", "yaml", "slice"] as const;
export type Output = (typeof OUTPUTS)[number];
const VALIDATE_OUTPUTS = ["text", "json"] as const;
export type ValidateOutput = (typeof VALIDATE_OUTPUTS)[number];

export type CommandLine =
  | { readonly command: "run"; readonly config: Config; readonly warnings: readonly string[] }
  | {
      readonly command: "devices";
      readonly config: Config;
      readonly warnings: readonly string[];
      readonly output: Output;
    }
  | {
      readonly command: "validate";
      readonly config: Config;
      /** Paths; `-` is standard input. */
      readonly files: readonly string[];
      readonly output: ValidateOutput;
    }
  | { readonly command: "demo"; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly command: "version" }
  | { readonly command: "help"; readonly text: string };

export const COMMANDS = ["run", "devices", "validate", "version", "demo", "help"] as const;

const KNOWN: ReadonlyMap<string, boolean> = new Map([
  ...[...Object.values(FLAGS), ...KLOG_FLAGS, ...UNSERVED_FLAGS].map(
    ({ name, isBoolean }) => [name, isBoolean] as const,
  ),
  ["f", false],
  ["filename", false],
  ["o", false],
  ["output", false],
  ["version", true],
  ["help", true],
  ["h", true],
]);

/** DRANET's image has no entry point: the arguments of its DaemonSet begin with the executable. */
const DRANET_EXECUTABLE = "/dranet";

/** `argv` without the executable. Without a command it is `run`, so that DRANET's arguments work unchanged. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const { flags, words } = readArguments(argv[0] === DRANET_EXECUTABLE ? argv.slice(1) : argv, KNOWN);
  if (flags.has("help") || flags.has("h")) return { command: "help", text: helpText() };
  if (flags.has("version")) return { command: "version" };
  const [word = "run", surplus] = words;
  const command = COMMANDS.find((known) => known === word);
  if (command === undefined)
    throw new ConfigError(word, `is not a command of netferry${suggestion(word, COMMANDS) || ": see netferry help"}`);
  if (surplus !== undefined) throw new ConfigError(surplus, `is one word too many after ${command}`);
  if (command === "help") return { command, text: helpText() };
  const files = parseFiles(command, [...(flags.get("f") ?? []), ...(flags.get("filename") ?? [])]);
  const wanted = flags.get("o") ?? flags.get("output");
  const config = buildConfig(flags);
  if (command === "validate") {
    return { command, config, files, output: parseOutput(VALIDATE_OUTPUTS, wanted) };
  }
  if (wanted !== undefined && command !== "devices")
    throw new ConfigError("-o", `belongs to the commands devices and validate, not to ${command}`);
  const output = parseOutput(OUTPUTS, wanted);
  if (command === "version") return { command };
  const warnings = warningsFor(flags);
  if (command === "devices") return { command, config, warnings, output };
  if (command === "run") checkTogether(config, flags);
  return { command, config, warnings };
}

/** The defaults, changed by `values` (flag name → text, the last one counts). Throws a ConfigError. */
export function buildConfig(values: ReadonlyMap<string, readonly string[]>): Config {
  const entries = Object.entries(FLAGS).map(([key, { name, fallback, parse }]) => {
    const texts = values.get(name) ?? [fallback];
    const text = texts.at(-1) ?? fallback;
    try {
      return [key, parse(text, texts)] as const;
    } catch (cause) {
      if (cause instanceof ConfigError) throw cause;
      throw new ConfigError(dashed(name), `${JSON.stringify(text)} ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    }
  });
  // Each key went through its own flag's parser, which is what Config says of it.
  return Object.freeze(Object.fromEntries(entries)) as Config;
}

/** The first of `outputs` is the default. */
function parseOutput<T extends string>(outputs: readonly [T, ...T[]], given: readonly string[] | undefined): T {
  const text = given?.at(-1) ?? outputs[0];
  const output = outputs.find((known) => known === text);
  if (output === undefined)
    throw new ConfigError(
      "-o",
      `${JSON.stringify(text)} is not one of ${outputs.join(", ")}${suggestion(text, outputs)}`,
    );
  return output;
}

function parseFiles(command: string, given: readonly string[]): readonly string[] {
  if (command === "validate") {
    if (given.length === 0) throw new ConfigError("-f", "is needed: name a file to validate, or - for standard input");
    if (given.includes("")) throw new ConfigError("-f", "names no file");
  } else if (given.length > 0) throw new ConfigError("-f", `belongs to the command validate, not to ${command}`);
  return [...new Set(given)];
}

function checkTogether(config: Config, flags: ReadonlyMap<string, readonly string[]>): void {
  checkProviders(config);
  if (config.inventoryMinPollIntervalMs > config.inventoryMaxPollIntervalMs) {
    throw new ConfigError(
      "--inventory-min-poll-interval",
      `${flags.get("inventory-min-poll-interval")?.at(-1) ?? FLAGS.inventoryMinPollIntervalMs.fallback} is longer than --inventory-max-poll-interval`,
    );
  }
  if (config.standalone && config.claimsDir === "")
    throw new ConfigError("--standalone", "needs --claims DIR, where the claims are");
  if (!config.standalone && config.claimsDir !== "") {
    throw new ConfigError("--claims", "works only with --standalone; in a cluster claims come from the API server");
  }
}

/** One sentence for each flag that asks for something that this version does not do. */
function warningsFor(flags: ReadonlyMap<string, readonly string[]>): string[] {
  const idle = UNSERVED_FLAGS.filter((flag) => asksForSomething(flag, flags.get(flag.name) ?? [])).map(
    ({ name }) => name,
  );
  const options = unservedProviderOptions(flags.get("cloud-provider-options") ?? []);
  return [...idle, ...options.map((option) => `cloud-provider-options=${option}`)].map(
    (name) => `--${name} is accepted for DRANET's sake and has no effect in this version of netferry`,
  );
}

function asksForSomething(flag: IgnoredFlag, values: readonly string[]): boolean {
  return values.some((value) => !(flag.harmless ?? [value]).includes(value));
}
