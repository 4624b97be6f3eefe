import { expect, test } from "bun:test";

const MODULE = new URL("./fault.ts", import.meta.url).pathname;

/** Runs a program that passes two fault points, built with or without them. */
function pass(faults: boolean, wanted: string): { exitCode: number | null; signal: unknown; said: string; ms: number } {
  const program = `import { faultPoint } from ${JSON.stringify(MODULE)};
    console.log("start"); faultPoint("a.first"); console.log("between"); faultPoint("a.second"); console.log("end");`;
  const started = performance.now();
  const { exitCode, signalCode, stdout } = Bun.spawnSync(
    [process.execPath, ...(faults ? ["--define", "NETFERRY_FAULTS=true"] : []), "-e", program],
    { env: { ...process.env, NETFERRY_FAULT: wanted } },
  );
  const said = stdout.toString().trim().replaceAll("\n", " ");
  return { exitCode, signal: signalCode, said, ms: performance.now() - started };
}

test("faultPoint() does nothing in a program that was built without faults", () => {
  expect(pass(false, "kill:a.first")).toMatchObject({ exitCode: 0, said: "start between end" });
});

test("faultPoint() kills at its point, and only there", () => {
  expect(pass(true, "kill:a.second")).toMatchObject({ signal: "SIGKILL", said: "start between" });
  expect(pass(true, "kill:a.sec,kill:b")).toMatchObject({ exitCode: 0, said: "start between end" });
});

test("faultPoint() holds the thread up for as long as asked, among other faults", () => {
  const slow = pass(true, "kill:elsewhere, slow:a.first:300");
  expect(slow).toMatchObject({ exitCode: 0, said: "start between end" });
  expect(slow.ms).toBeGreaterThanOrEqual(300);
});

test("faultPoint() refuses a fault that it does not know", () => {
  expect(pass(true, "explode:a.first")).toMatchObject({ exitCode: 1, said: "start" });
});
