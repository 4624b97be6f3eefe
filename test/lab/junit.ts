/** Reads the JUnit file that `bun test --reporter=junit` writes: only the counts and the names of what failed. */

export interface SuiteResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** `file: name` of every failed test, and a sentence for everything else that counts as a failure. */
  readonly failures: readonly string[];
  /** Files that a failure can be laid to. */
  readonly failedFiles: readonly string[];
}

export interface SuiteRun {
  /** Absent when the runner died before it wrote one. */
  readonly junit: string | undefined;
  /** Test files that were to run, as paths from the project's root. */
  readonly files: readonly string[];
  readonly exitCode: number;
  /** True where a skip is a failure. */
  readonly strict: boolean;
  /** Files whose tests do not count, since they run once more. */
  readonly repeated?: readonly string[];
}

/**
 * Counts a run. A file that is not in the report did not load, or ended the process: one failure. So is a bad exit code
 * that no failure explains.
 */
export function countRun({ repeated = [], ...all }: SuiteRun): SuiteResult {
  const run = { ...all, files: all.files.filter((file) => !repeated.includes(file)) };
  const cases = testCases(run.junit ?? "").filter(({ file }) => !repeated.includes(file));
  const failures = cases.filter((at) => at.outcome === "failed").map((at) => at.title);
  const skipped = cases.filter((at) => at.outcome === "skipped");
  if (run.strict) failures.push(...skipped.map((at) => `${at.title} was skipped`));
  const reported = new Set(cases.map((at) => at.file));
  const silent = run.files.filter((file) => !reported.has(file));
  failures.push(...silent.map((file) => `${file} ran no test`));
  if (all.files.length === 0) failures.push("the suite has no test files");
  if (run.exitCode !== 0 && failures.length === 0 && repeated.length === 0)
    failures.push(`the suite ended with code ${run.exitCode}`);
  const passed = cases.filter((at) => at.outcome === "passed").length;
  const failed = cases.filter((at) => at.outcome === "failed" || (run.strict && at.outcome === "skipped"));
  const failedFiles = [...new Set([...failed.map(({ file }) => file), ...silent])];
  return { passed, failed: failures.length, skipped: skipped.length, failures, failedFiles };
}

export const NO_TESTS: SuiteResult = { passed: 0, failed: 0, skipped: 0, failures: [], failedFiles: [] };

export function sumOf(results: readonly SuiteResult[]): SuiteResult {
  return results.reduce((sum, one) => {
    const failures = [...sum.failures, ...one.failures];
    return {
      passed: sum.passed + one.passed,
      failed: failures.length,
      skipped: sum.skipped + one.skipped,
      failures,
      failedFiles: [...sum.failedFiles, ...one.failedFiles],
    };
  }, NO_TESTS);
}

interface TestCase {
  readonly title: string;
  readonly file: string;
  readonly outcome: "passed" | "failed" | "skipped";
}

function testCases(xml: string): TestCase[] {
  return [...xml.matchAll(/<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, attributes = "", , body = ""]) => {
      const file = attribute(attributes, "file");
      const outcome = /<(failure|error)\b/.test(body) ? "failed" : /<skipped\b/.test(body) ? "skipped" : "passed";
      return { file, title: `${file}: ${attribute(attributes, "name")}`, outcome };
    },
  );
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function attribute(attributes: string, name: string): string {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return value.replace(/&(\w+);/g, (whole, entity: string) => ENTITIES[entity] ?? whole);
}
