import { expect, test } from "bun:test";
import { countRun, NO_TESTS, sumOf } from "./junit.ts";

const JUNIT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="4" assertions="2" failures="1" skipped="1" time="0.004">
  <testsuite name="a.test.ts" file="a.test.ts" tests="3" assertions="2" failures="1" skipped="1" time="0.001">
    <testcase name="holds &lt;x&gt;" classname="" time="0.1" file="a.test.ts" line="2" assertions="0" />
    <testcase name="waits" classname="" time="0" file="a.test.ts" line="2" assertions="0">
      <skipped message="not yet" />
    </testcase>
    <testsuite name="group" file="a.test.ts" line="3" tests="1" assertions="1" failures="1" skipped="0" time="0">
      <testcase name="breaks" classname="group" time="0.1" file="a.test.ts" line="3" assertions="1">
        <failure type="AssertionError" message="x">x</failure>
      </testcase>
    </testsuite>
  </testsuite>
</testsuites>`;

const run = { junit: JUNIT, files: ["a.test.ts"], exitCode: 1, strict: false };

test("countRun() counts passed, failed and skipped tests, also in groups", () => {
  expect(countRun(run)).toEqual({
    passed: 1,
    failed: 1,
    skipped: 1,
    failures: ["a.test.ts: breaks"],
    failedFiles: ["a.test.ts"],
  });
});

test("countRun() counts a skip as a failure when strict", () => {
  expect(countRun({ ...run, strict: true }).failures).toEqual(["a.test.ts: breaks", "a.test.ts: waits was skipped"]);
});

test("countRun() counts a file that is not in the report as a failure", () => {
  expect(countRun({ ...run, files: ["a.test.ts", "b.test.ts"] }).failures).toContain("b.test.ts ran no test");
});

test("countRun() counts a run without a report as a failure even when it ended with 0", () => {
  const result = countRun({ junit: undefined, files: ["a.test.ts"], exitCode: 0, strict: false });
  expect(result).toMatchObject({ passed: 0, failed: 1 });
});

test("countRun() counts a bad exit code that no test explains as a failure", () => {
  const junit = `<testcase name="holds" file="a.test.ts" line="1" />`;
  expect(countRun({ ...run, junit }).failures).toEqual(["the suite ended with code 1"]);
});

test("countRun() counts a suite without test files as a failure", () => {
  expect(countRun({ ...run, junit: "", files: [], exitCode: 0 }).failed).toBe(1);
});

test("countRun() leaves out files that run once more, and the exit code that they explain", () => {
  const holds = `<testcase name="holds" file="b.test.ts" line="1" />`;
  const both = { ...run, junit: JUNIT + holds, files: ["a.test.ts", "b.test.ts", "c.test.ts"] };
  expect(countRun(both).failedFiles).toEqual(["a.test.ts", "c.test.ts"]);
  const rest = countRun({ ...both, repeated: ["a.test.ts", "c.test.ts"] });
  expect(rest).toMatchObject({ passed: 1, failed: 0, skipped: 0, failedFiles: [] });
});

test("sumOf() adds results up", () => {
  const [first, second] = [countRun(run), countRun({ ...run, junit: "" })];
  expect(sumOf([first, second])).toMatchObject({ passed: 1, failed: 2, skipped: 1 });
  expect(sumOf([])).toEqual(NO_TESTS);
});
