/** `./dev test`: runs the suites one after the other, and ends with one line that counts them all. */

import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newestRelease, releases } from "./cluster/modules.ts";
import { countRun, type SuiteResult } from "./junit.ts";

const PROJECT = join(import.meta.dir, "../..");
const REPORTS = join(PROJECT, ".cache/junit");
/** A suite that hangs must not hang the machine that waits for it. */
const SUITE_LIMIT_MS = 40 * 60_000;

interface Suite {
  /** Glob patterns; one for each folder, since a pattern of Bun takes no slash within braces. */
  readonly files: readonly string[];
  readonly testTimeoutMs: number;
  /** Arguments of `deploy/build.ts` for the executables that the suite runs. */
  readonly builds?: readonly string[];
  /** Without root the suite runs as root of a user namespace of its own. */
  readonly needsRoot?: boolean;
  /** Runs once for each release of Kubernetes that is asked for. */
  readonly byRelease?: boolean;
}

const SUITES: Readonly<Record<string, Suite>> = {
  unit: {
    files: ["{src,ffi,deploy}/**/*.test.ts", "test/{bench,lab,fakes}/**/*.test.ts", "test/*.test.ts"],
    testTimeoutMs: 10_000,
  },
  kernel: {
    files: ["test/{abi,kernel,build}/**/*.test.ts"],
    testTimeoutMs: 60_000,
    builds: ["amd64", "arm64", "faults"],
    needsRoot: true,
  },
  runtime: {
    files: ["test/runtime/**/*.test.ts"],
    testTimeoutMs: 180_000,
    builds: ["amd64", "faults"],
    needsRoot: true,
  },
  vm: {
    files: ["test/vm/*.test.ts"],
    // Emulated processors, and others who use the real ones.
    testTimeoutMs: 600_000,
    builds: ["amd64", "faults"],
  },
  cluster: {
    files: ["test/cluster/**/*.test.ts"],
    testTimeoutMs: 180_000,
    builds: ["faults"],
    byRelease: true,
  },
};

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { release: { type: "string" } },
});
const strict = process.env["CI"] === "true";
const totals = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];

for (const name of names) {
  const suite = SUITES[name];
  if (suite === undefined) throw new Error(`There is no suite "${name}"; there are ${Object.keys(SUITES).join(", ")}.`);
  const result = await runSuite(name, suite);
  totals.passed += result.passed;
  totals.failed += result.failed;
  totals.skipped += result.skipped;
  failures.push(...result.failures.map((at) => `${name}: ${at}`));
}

for (const failure of failures) console.log(`FAILED ${failure}`);
if (totals.skipped > 0) console.log(`${totals.skipped} skipped${strict ? ", which counts as failed here" : ""}`);
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed === 0 ? 0 : 1);

async function runSuite(name: string, suite: Suite): Promise<SuiteResult> {
  console.log(`== ${name}`);
  const files = suite.files.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(PROJECT)]).sort();
  // A build that fails is one failure; the tests that need no executable still tell what they can.
  const built = suite.builds === undefined ? 0 : await run([process.execPath, "deploy/build.ts", ...suite.builds]);
  const result = files.length === 0 ? noTests() : await runAll(name, suite, files);
  if (built === 0) return result;
  const failures = [`the build ended with code ${built}`, ...result.failures];
  return { ...result, failed: failures.length, failures };
}

async function runAll(name: string, suite: Suite, files: readonly string[]): Promise<SuiteResult> {
  if (suite.byRelease !== true) return await runFiles({ name, suite, files });
  const sum = { passed: 0, failed: 0, skipped: 0, failures: [] as string[] };
  for (const release of askedReleases(options.release)) {
    console.log(`-- Kubernetes ${release}`);
    const startMs = performance.now();
    const env = { NETFERRY_KUBERNETES: release };
    const result = await runFiles({ name: `${name}-${release}`, suite, files, env });
    console.log(`-- Kubernetes ${release}: ${Math.round((performance.now() - startMs) / 1000)} s`);
    sum.passed += result.passed;
    sum.failed += result.failed;
    sum.skipped += result.skipped;
    sum.failures.push(...result.failures.map((failure) => `${release} ${failure}`));
  }
  return sum;
}

/** `--release all`, `--release 1.34`; without it the newest. */
function askedReleases(asked: string | undefined): string[] {
  if (asked === undefined) return [newestRelease()];
  if (asked === "all") return releases();
  if (releases().includes(asked)) return [asked];
  throw new Error(`There is no Kubernetes ${asked} in the lab; there are ${releases().join(", ")}, and "all".`);
}

interface FilesRun {
  readonly name: string;
  readonly suite: Suite;
  readonly files: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

async function runFiles({ name, suite, files, env = {} }: FilesRun): Promise<SuiteResult> {
  const report = join(REPORTS, `${name}.xml`);
  mkdirSync(REPORTS, { recursive: true });
  rmSync(report, { force: true });
  const asRoot = suite.needsRoot === true && process.getuid?.() !== 0 ? ["unshare", "-Urnm"] : [];
  const flags = [`--timeout=${suite.testTimeoutMs}`, "--reporter=junit", `--reporter-outfile=${report}`];
  const exitCode = await run([...asRoot, process.execPath, "test", ...flags, ...files.map((file) => `./${file}`)], env);
  const junit = existsSync(report) ? await Bun.file(report).text() : undefined;
  return countRun({ junit, files, exitCode, strict });
}

async function run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  await using child = Bun.spawn([...command], {
    cwd: PROJECT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: SUITE_LIMIT_MS,
    killSignal: "SIGKILL",
  });
  return await child.exited;
}

function noTests(): SuiteResult {
  return countRun({ junit: undefined, files: [], exitCode: 0, strict });
}
