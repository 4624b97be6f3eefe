/** `netferry --help`, made from the table of flags. */

import { dashed } from "./arguments.ts";
import { FLAGS, KLOG_FLAGS, UNSERVED_FLAGS } from "./flag-table.ts";

const COLUMN = 34;
const WIDTH = 110;

const HEAD = `netferry finds a host's network devices, offers them to the Kubernetes scheduler, and moves each claimed one
into its pod and home again.

Usage: netferry [run] [flags]         the agent
       netferry devices [-o FORMAT]   list the devices of this host as table, wide, json, yaml or slice
       netferry validate -f FILE      say what is wrong with a configuration, or with a manifest that carries one;
                                      - is standard input, -o json for programs, -f may be repeated.
                                      A configuration by itself is judged as a claim's whole one, or, where it has
                                      overridable, as a DeviceClass's, to which a claim may add
       netferry demo                  show the whole life of a claim on this machine
       netferry version
       netferry help

Flags are written -x, --x, --x=value or --x value; true-or-false flags --x or --x=false.
`;

export function helpText(): string {
  const flags = Object.values(FLAGS).map(({ name, placeholder, fallback, help }) =>
    entry(
      `${dashed(name)}${placeholder === "" ? "" : ` ${placeholder}`}`,
      `${help} (default ${fallback === "" ? "empty" : fallback})`,
    ),
  );
  const ignored = [
    entry(
      "Accepted, without effect",
      `${UNSERVED_FLAGS.map(({ name }) => dashed(name)).join(", ")}: DRANET's, not served in this version`,
    ),
    entry("", `${KLOG_FLAGS.map(({ name }) => dashed(name)).join(", ")}: of klog; logs are JSON lines on stderr`),
  ];
  return `${HEAD}\n${flags.join("\n")}\n\n${ignored.join("\n")}\n`;
}

/** A left column, and the text wrapped beside it; below it where the left one is too long. */
function entry(left: string, text: string): string {
  const lines = wrap(text, WIDTH - COLUMN).map((line) => " ".repeat(COLUMN) + line);
  const head = `  ${left}`;
  const [first = "", ...more] = lines;
  if (head.length >= COLUMN) return [head, first, ...more].join("\n");
  return [head.padEnd(COLUMN) + first.slice(COLUMN), ...more].join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
