/** Everything that is wrong with the configurations in a set of files. */

import { ClaimError } from "../lib/errors.ts";
import { type Authority, authorityProblems } from "./authority.ts";
import { isGiven, valueAt } from "./field-table.ts";
import { type Carrier, type FoundConfig, type FoundSelector, readManifest } from "./manifest.ts";
import { type ConfigEntry, configFor, readEntry } from "./merge.ts";
import { readNetworkConfig } from "./network-config.ts";
import { wholeProblems } from "./whole-rules.ts";
import { readYaml, type YamlDocument } from "./yaml-documents.ts";
import { formatPath, type Problem } from "./zod-problems.ts";

export interface ManifestFile {
  readonly name: string;
  readonly text: string;
}

export interface ManifestProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly path: string;
  readonly message: string;
}

export interface CheckedManifests {
  /** Configurations for the driver, by file. */
  readonly configurations: Readonly<Record<string, number>>;
  readonly problems: readonly ManifestProblem[];
  /** Files, or documents in them, that are no YAML: nobody knows what else is wrong with them. */
  readonly broken: readonly ManifestProblem[];
}

export interface CheckOptions {
  readonly driver: string;
  readonly authority: Authority;
  /** Called once, if there is a selector at all; the answer says what is wrong with one. */
  readonly loadSelectorCheck: () => Promise<(expression: string) => string | undefined>;
}

interface Found {
  readonly file: string;
  readonly document: YamlDocument;
  readonly carrier: Carrier;
}

export async function checkManifests(files: readonly ManifestFile[], options: CheckOptions): Promise<CheckedManifests> {
  const problems: ManifestProblem[] = [];
  const broken: ManifestProblem[] = [];
  const found: Found[] = [];
  const counts = new Map<string, number>(files.map(({ name }) => [name, 0]));
  for (const { name: file, text } of files) {
    const yaml = readYaml(text);
    broken.push(...yaml.broken.map(({ line, problem }) => ({ file, line, path: "document", message: problem })));
    for (const document of yaml.documents) {
      const report = reporter(file, document, problems);
      for (const path of document.duplicates) report([{ path, text: "is given twice" }], []);
      const read = readManifest(document.value, options.driver);
      if ("bare" in read) {
        report(problemsOfBare(read.bare, options.authority), []);
        counts.set(file, (counts.get(file) ?? 0) + 1);
        continue;
      }
      report(read.problems, []);
      for (const carrier of read.carriers) {
        for (const entry of carrier.configs) report(problemsOfEntry(entry, options.authority), entry.path);
        counts.set(file, (counts.get(file) ?? 0) + carrier.configs.length);
        found.push({ file, document, carrier });
      }
    }
  }
  // Merging tells nothing new of a configuration that is wrong by itself.
  if (problems.length === 0) for (const one of found) checkTogether(one, found, options.authority, problems);
  await checkSelectors(found, options.loadSelectorCheck, problems);
  return { configurations: Object.fromEntries(counts), problems, broken };
}

/**
 * A configuration by itself does not say whose it is. With `overridable`, which a class alone may hold, it is a class's,
 * and a claim may still add to it. Otherwise it is all that a claim gets, as it is with a class that says nothing.
 */
function problemsOfBare(parameters: unknown, authority: Authority): readonly Problem[] {
  if (isGiven(valueAt(parameters, "overridable")))
    return problemsOfEntry({ source: "FromClass", parameters }, authority);
  const read = readNetworkConfig(parameters);
  const own = "problems" in read ? read.problems : wholeProblems(read.config);
  return [...own, ...authorityProblems(parameters, authority).map(withWayOut)];
}

function withWayOut({ path, text }: Problem): Problem {
  return { path, text: `${text} (a file with overridable, which may be [], is taken for a DeviceClass's)` };
}

function problemsOfEntry(entry: Pick<FoundConfig, "source" | "parameters">, authority: Authority): readonly Problem[] {
  const read = readEntry(entry, authority);
  return "problems" in read ? read.problems : [];
}

/** What Prepare would say of each request: entries of the claim, with those of classes that are among the files. */
function checkTogether(
  { file, document, carrier }: Found,
  all: readonly Found[],
  authority: Authority,
  problems: ManifestProblem[],
): void {
  const report = reporter(file, document, problems);
  for (const { name, className } of carrier.requests) {
    const classEntries = all
      .filter((other) => other.carrier.className === className)
      .flatMap((other) => other.carrier.configs.map((config): ConfigEntry => ({ ...config, requests: [] })));
    try {
      configFor([...classEntries, ...carrier.configs], name, authority);
    } catch (error) {
      if (!(error instanceof ClaimError)) throw error;
      report([{ path: ["config"], text: error.message }], carrier.path);
    }
  }
}

async function checkSelectors(
  found: readonly Found[],
  load: CheckOptions["loadSelectorCheck"],
  problems: ManifestProblem[],
): Promise<void> {
  const selectors = found.flatMap((one) => one.carrier.selectors.map((selector) => ({ ...one, selector })));
  if (selectors.length === 0) return;
  const problemWith = await load();
  for (const { file, document, selector } of selectors) {
    const problem = problemOf(selector, problemWith);
    if (problem !== undefined) reporter(file, document, problems)([problem], []);
  }
}

function problemOf(
  { path, expression }: FoundSelector,
  problemWith: (text: string) => string | undefined,
): Problem | undefined {
  const text = problemWith(expression);
  return text === undefined ? undefined : { path, text };
}

/** Adds problems whose paths begin at `base` in the document. */
function reporter(file: string, document: YamlDocument, problems: ManifestProblem[]) {
  return (found: readonly Problem[], base: readonly PropertyKey[]): void => {
    for (const { path, text } of found) {
      const whole = [...base, ...path];
      problems.push({ file, line: document.lineOf(whole), path: formatPath(whole) || "document", message: text });
    }
  };
}
