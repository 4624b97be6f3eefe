import { afterAll, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SuiteRunner } from "./suite-runner.ts";
import type { Suite } from "./suites.ts";
import { TimeBudget } from "./time-budget.ts";

const project = mkdtempSync(join(tmpdir(), "netferry-suites-"));
afterAll(() => rmSync(project, { recursive: true }));

const SUITE: Suite = { files: [], testTimeoutMs: 10_000 };
const HOLDS = `import { test } from "bun:test"; test("holds", () => {});`;
/** Fails when it runs for the first time. */
const AT_SECOND = `import { expect, test } from "bun:test"; import { existsSync, writeFileSync } from "node:fs";
test("second", () => { const mark = import.meta.path + ".mark"; const was = existsSync(mark); writeFileSync(mark, ""); expect(was).toBe(true); });`;

function runnerOf(files: Readonly<Record<string, string>>, { repeats = true, minutes = 10 } = {}): SuiteRunner {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
  return new SuiteRunner({ project, strict: true, repeats, budget: new TimeBudget(minutes), output: "ignore" });
}

test("SuiteRunner runs a file that failed once more, and tells so", async () => {
  using _ = spyOn(console, "log").mockImplementation(() => undefined);
  const files = { "a.test.ts": HOLDS, "b.test.ts": AT_SECOND };
  const runner = runnerOf(files);
  const result = await runner.run({ name: "x", suite: SUITE, files: Object.keys(files) });
  expect(result).toMatchObject({ passed: 2, failed: 0 });
  expect(runner.notes).toEqual(["x: held at the second try only: b.test.ts: second"]);
});

test("SuiteRunner takes the first answer where nobody wants repetitions", async () => {
  using _ = spyOn(console, "log").mockImplementation(() => undefined);
  const runner = runnerOf({ "c.test.ts": AT_SECOND }, { repeats: false });
  expect(await runner.run({ name: "x", suite: SUITE, files: ["c.test.ts"] })).toMatchObject({
    failures: ["c.test.ts: second"],
  });
});

test("SuiteRunner leaves out files that there is no time for, and names them", async () => {
  using _ = spyOn(console, "log").mockImplementation(() => undefined);
  const runner = runnerOf({ "e.test.ts": HOLDS }, { minutes: 3 });
  const suite = { ...SUITE, fileMinutes: 4 };
  expect(await runner.run({ name: "x", suite, files: ["e.test.ts"] })).toMatchObject({ passed: 0, failed: 0 });
  expect(runner.notes).toEqual(["x: no time was left for e.test.ts"]);
  const short = { ...SUITE, fileMinutes: 1 };
  await runner.run({ name: "y", suite: short, files: ["e.test.ts"], reservedMinutes: 2.5 });
  expect(runner.notes.at(-1)).toBe("y: no time was left for e.test.ts");
  expect((await runner.run({ name: "z", suite: short, files: ["e.test.ts"] })).passed).toBe(1);
});
