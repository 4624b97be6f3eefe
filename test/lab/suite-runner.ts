/** Runs the files of a suite, and counts what became of their tests. */

import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { countRun, NO_TESTS, type SuiteResult, type SuiteRun, sumOf } from "./junit.ts";
import type { Suite } from "./suites.ts";
import type { TimeBudget } from "./time-budget.ts";

/** A run that hangs must not hang the machine that waits for it. */
const RUN_LIMIT_MS = 40 * 60_000;
/** More files than that do not fail by chance. */
const MAX_REPEATED = 3;

export interface Files {
  /** Of the report. */
  readonly name: string;
  readonly suite: Suite;
  readonly files: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Of the budget: for suites that come later. */
  readonly reservedMinutes?: number;
}

export interface RunnerOptions {
  readonly project: string;
  readonly strict: boolean;
  /** Files that failed run once more; what holds then passes, and is told. */
  readonly repeats: boolean;
  readonly budget: TimeBudget;
  /** Where the tests' own output goes; default: to ours. */
  readonly output?: "inherit" | "ignore";
}

export class SuiteRunner {
  /** Sentences for the end: what was left out, and what held only at the second try. */
  readonly notes: string[] = [];
  readonly #options: RunnerOptions;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  note(sentence: string): void {
    console.log(`-- ${sentence}`);
    this.notes.push(sentence);
  }

  /** A suite whose files are runs of their own leaves those out for which there is no time. */
  async run(all: Files): Promise<SuiteResult> {
    const { suite, reservedMinutes = 0 } = all;
    const { fileMinutes } = suite;
    if (fileMinutes === undefined) return await this.#runOrRepeat(all);
    const results: SuiteResult[] = [];
    const leftOut: string[] = [];
    for (const file of all.files)
      if (this.#options.budget.minutesLeft < fileMinutes + reservedMinutes) leftOut.push(file);
      else results.push(await this.#runOrRepeat({ ...all, files: [file] }));
    if (leftOut.length > 0) this.note(`${all.name}: no time was left for ${leftOut.join(", ")}`);
    return sumOf(results);
  }

  /** The exit code of a command, whose output is shown. */
  async command(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
    const { project, output = "inherit" } = this.#options;
    await using child = Bun.spawn([...argv], {
      cwd: project,
      env: { ...process.env, ...env },
      stdio: ["ignore", output, output],
      timeout: RUN_LIMIT_MS,
      killSignal: "SIGKILL",
    });
    return await child.exited;
  }

  async #runOrRepeat(all: Files): Promise<SuiteResult> {
    const run = await this.#runOnce(all);
    const first = countRun(run);
    const repeated = first.failedFiles;
    const { repeats, budget } = this.#options;
    const isWorthIt = repeats && repeated.length > 0 && repeated.length <= MAX_REPEATED;
    const { reservedMinutes = 0, suite } = all;
    if (!isWorthIt || budget.minutesLeft < (suite.fileMinutes ?? 0) + reservedMinutes) return first;
    console.log(`-- once more: ${repeated.join(", ")}`);
    for (const failure of first.failures) console.log(`-- failed at first: ${failure}`);
    const second = countRun(await this.#runOnce({ ...all, files: repeated }));
    if (second.failed === 0) this.note(`${all.name}: held at the second try only: ${first.failures.join("; ")}`);
    const kept = run.files.length > repeated.length ? countRun({ ...run, repeated }) : NO_TESTS;
    return sumOf([kept, second]);
  }

  async #runOnce({ name, suite, files, env }: Files): Promise<SuiteRun> {
    const { project, strict } = this.#options;
    const reports = join(project, ".cache/junit");
    const report = join(reports, `${name}.xml`);
    mkdirSync(reports, { recursive: true });
    rmSync(report, { force: true });
    const asRoot = suite.needsRoot === true && process.getuid?.() !== 0 ? ["unshare", "-Urnm"] : [];
    const flags = [`--timeout=${suite.testTimeoutMs}`, "--reporter=junit", `--reporter-outfile=${report}`];
    const paths = files.map((file) => `./${file}`);
    const exitCode = await this.command([...asRoot, process.execPath, "test", ...flags, ...paths], env);
    const junit = existsSync(report) ? await Bun.file(report).text() : undefined;
    return { junit, files, exitCode, strict };
  }
}
