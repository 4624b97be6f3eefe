import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import {
  type CheckedManifests,
  checkManifests,
  type ManifestFile,
  type ManifestProblem,
} from "../config/check-manifests.ts";
import type { Config } from "../config/flags.ts";
import { describeError } from "../lib/errors.ts";
import { loadSelectorCheck } from "../standalone/selector.ts";
import type { ExitCode } from "./errors.ts";

/** 0 when all is well, 1 when something is wrong, 2 when a file could not be read. */
export async function validate(
  files: readonly string[],
  output: "text" | "json",
  { driverName, strictClaims, claimMaySet }: Config,
): Promise<ExitCode> {
  const read: ManifestFile[] = [];
  const unreadable: string[] = [];
  for (const path of files) {
    try {
      read.push(await readManifestFile(path));
    } catch (error) {
      unreadable.push(`${path}: cannot be read: ${describeError(error)}`);
    }
  }
  const checked = await checkManifests(read, {
    driver: driverName,
    authority: { strictClaims, claimMaySet },
    loadSelectorCheck,
  });
  unreadable.push(...checked.broken.map(line));
  for (const problem of unreadable) console.error(`netferry: ${problem}`);
  process.stdout.write(
    output === "json" ? jsonReport(checked) : textReport(checked, driverName, unreadable.length > 0),
  );
  if (unreadable.length > 0) return 2;
  return checked.problems.length > 0 ? 1 : 0;
}

async function readManifestFile(path: string): Promise<ManifestFile> {
  return path === "-"
    ? { name: "stdin", text: await text(process.stdin) }
    : { name: path, text: await readFile(path, "utf8") };
}

function line({ file, line, path, message }: ManifestProblem): string {
  return `${file}:${line} ${path}: ${message}`;
}

function jsonReport({ problems, broken, configurations }: CheckedManifests): string {
  return `${JSON.stringify({ configurations, problems: [...broken, ...problems] }, null, 2)}\n`;
}

/** Files in which all is well get a line too, so that nobody takes an empty one for a checked one. */
function textReport({ problems, configurations }: CheckedManifests, driver: string, isIncomplete: boolean): string {
  const wrong = new Set(problems.map(({ file }) => file));
  const good = Object.entries(configurations).filter(([file]) => !wrong.has(file) && !isIncomplete);
  const lines = [
    ...problems.map(line),
    ...good.map(([file, count]) =>
      count === 0
        ? `${file}: no configuration for ${driver} in it`
        : `${file}: ${count} configuration${count === 1 ? "" : "s"} for ${driver}, nothing wrong`,
    ),
  ];
  return lines.map((one) => `${one}\n`).join("");
}
