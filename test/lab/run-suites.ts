/** `./dev test`: runs the suites one after the other, and ends with one line that counts them all. */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { isBuilt } from "./cluster/build.ts";
import {
  containerdModule,
  dranetModule,
  helmModule,
  kubernetesModule,
  newestRelease,
  releases,
} from "./cluster/modules.ts";
import { planDranet, planReleases } from "./cluster/plan.ts";
import { NO_TESTS, type SuiteResult, sumOf } from "./junit.ts";
import { SuiteRunner } from "./suite-runner.ts";
import { filesOf, SUITES, type Suite } from "./suites.ts";
import { TimeBudget } from "./time-budget.ts";

const PROJECT = join(import.meta.dir, "../..");

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { release: { type: "string" }, minutes: { type: "string" } },
});
const strict = process.env["CI"] === "true";
const budget = new TimeBudget(options.minutes === undefined ? undefined : Number(options.minutes));
const runner = new SuiteRunner({ project: PROJECT, strict, repeats: strict, budget });
const results: SuiteResult[] = [];

for (const name of names) {
  const suite = SUITES[name];
  if (suite === undefined) throw new Error(`There is no suite "${name}"; there are ${Object.keys(SUITES).join(", ")}.`);
  const startMs = performance.now();
  const later = names.slice(names.indexOf(name) + 1);
  const reservedMinutes = later.reduce((sum, other) => sum + (SUITES[other]?.reservedMinutes ?? 0), 0);
  const result = await runSuite(name, suite, reservedMinutes);
  console.log(`== ${name}: ${minutesSince(startMs)} minutes`);
  results.push({ ...result, failures: result.failures.map((at) => `${name}: ${at}`) });
}

const totals = sumOf(results);
for (const note of runner.notes) console.log(`NOTE ${note}`);
for (const failure of totals.failures) console.log(`FAILED ${failure}`);
if (totals.skipped > 0) console.log(`${totals.skipped} skipped${strict ? ", which counts as failed here" : ""}`);
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed === 0 ? 0 : 1);

async function runSuite(name: string, suite: Suite, reservedMinutes: number): Promise<SuiteResult> {
  console.log(`== ${name}`);
  if (!hasTime(name, suite)) return NO_TESTS;
  // A build that fails is one failure; the tests that need no executable still tell what they can.
  const built = await succeeds("the build", ["deploy/build.ts", ...(suite.builds ?? [])], suite.builds !== undefined);
  const result =
    suite.byRelease === true
      ? await runReleases(name, suite)
      : await runner.run({ name, suite, files: filesOf(suite, PROJECT), reservedMinutes });
  return sumOf([built, result]);
}

function hasTime(what: string, { fileMinutes = 0 }: Suite): boolean {
  const { minutesLeft } = budget;
  if (minutesLeft < fileMinutes)
    runner.note(`${what} is not run: ${Math.max(0, minutesLeft).toFixed(0)} minutes are left`);
  return minutesLeft >= fileMinutes;
}

async function runReleases(name: string, suite: Suite): Promise<SuiteResult> {
  const all: SuiteResult[] = [];
  for (const release of chosenReleases(suite)) {
    if (!hasTime(`Kubernetes ${release}`, suite)) continue;
    console.log(`-- Kubernetes ${release}`);
    const build = ["test/lab/cluster/main.ts", "build", "--release", release];
    const built = await succeeds(`the build of Kubernetes ${release}`, build, !isReady(release));
    const startMs = performance.now();
    const env = { NETFERRY_KUBERNETES: release };
    const files = built.failed > 0 ? [] : filesOf(suite, PROJECT);
    const parts: SuiteResult[] = [];
    for (const part of planDranet(files, suite.fileMinutes ?? 0, isBuilt(dranetModule()))) {
      const { fileMinutes } = part;
      parts.push(
        await runner.run({ name: `${name}-${release}`, suite: { ...suite, fileMinutes }, files: part.files, env }),
      );
    }
    const result = sumOf(parts);
    const { version } = kubernetesModule(release);
    runner.note(`Kubernetes ${version}: ${result.passed} passed, in ${minutesSince(startMs)} minutes`);
    all.push(built, { ...result, failures: result.failures.map((failure) => `${release} ${failure}`) });
  }
  return sumOf(all);
}

/** `--release all`, `--release 1.34`; without it the newest and, in a run with a limit, what else there is time for. */
function chosenReleases({ fileMinutes = 0 }: Suite): readonly string[] {
  const asked = options.release;
  if (asked === "all") return releases();
  if (asked !== undefined) {
    if (releases().includes(asked)) return [asked];
    throw new Error(`There is no Kubernetes ${asked} in the lab; there are ${releases().join(", ")}, and "all".`);
  }
  if (!budget.isLimited) return [newestRelease()];
  const built = releases().filter(isReady);
  const plan = planReleases({ releases: releases(), built, minutesLeft: budget.minutesLeft, fileMinutes });
  for (const sentence of plan.leftOut) runner.note(sentence);
  return plan.releases;
}

function isReady(release: string): boolean {
  return [containerdModule(), helmModule(), kubernetesModule(release)].every(isBuilt);
}

async function succeeds(what: string, script: readonly string[], isNeeded: boolean): Promise<SuiteResult> {
  const code = isNeeded ? await runner.command([process.execPath, ...script]) : 0;
  return code === 0 ? NO_TESTS : { ...NO_TESTS, failed: 1, failures: [`${what} ended with code ${code}`] };
}

function minutesSince(startMs: number): string {
  return ((performance.now() - startMs) / 60_000).toFixed(1);
}
