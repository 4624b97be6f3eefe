import { expect, test } from "bun:test";
import { join } from "node:path";
import type { DemoReport, DemoRun } from "./demo-lab.ts";

const PROJECT = join(import.meta.dir, "../..");
const SOURCE = [process.execPath, join(PROJECT, "src/main.ts")];
const WITH_FAULTS = [process.execPath, "--define", "NETFERRY_FAULTS=true", join(PROJECT, "src/main.ts")];
const IN_USER_NAMESPACE = ["-U", "-r"];
/** As root where this process is root; else there is only the one way. */
const AS_WE_ARE = process.getuid?.() === 0 ? [] : IN_USER_NAMESPACE;
/** Only root of the machine can become somebody else. */
const isRealRoot = process.getuid?.() === 0 && (await Bun.file("/proc/self/uid_map").text()).includes("4294967295");

const KEY_LINES = [
  "fast0  fast0   veth  up     9000", // the table of devices
  "-> claim default/fast-link has device fast0",
  "unresolvable CDI devices netferry.dev/claim=fast-link",
  "net1: up, MTU 8000",
  "addresses  192.0.2.10/24",
  "198.51.100.1 answers in ",
  "/proc/sys/net/ipv4/conf/net1/forwarding",
  "belongs to pod default/web",
  "fast0: up, MTU 9000",
  "Every step held.",
];

test.each([
  ["as root", AS_WE_ARE, []],
  ["as root of a user namespace", IN_USER_NAMESPACE, []],
])("netferry demo shows the life of a claim and leaves nothing behind when it runs %s", async (_, flags) => {
  const report = await runDemo({ command: SOURCE }, flags);
  for (const line of KEY_LINES) expect(report.output).toContain(line);
  expect(report.output).not.toContain("FAILED");
  expect(report.code).toBe(0);
  expect(report.after).toEqual(report.before);
  console.log(`the demo took ${report.seconds.toFixed(1)} s`);
});

test.skipIf(!isRealRoot)("netferry demo finds its own way when an unprivileged user runs it", async () => {
  const command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", ...SOURCE];
  const report = await runDemo({ command }, []);
  expect(report.output).toContain("Every step held.");
  expect(report.code).toBe(0);
  expect(report.after).toEqual(report.before);
});

test.each([
  ["attach.moved", " 6. "],
  ["attach.configured", " 7. "],
  ["detach.moved", "13. "],
])("netferry demo ends with 1 when the agent dies for good at %s", async (point, step) => {
  const report = await runDemo({ command: WITH_FAULTS, env: { NETFERRY_FAULT: `kill:${point}` } }, AS_WE_ARE);
  const failed = report.output.split("\n").filter((line) => line.endsWith("FAILED"));
  expect(failed.map((line) => line.slice(0, step.length))).toEqual([step]);
  expect(report.code).toBe(1);
  expect(report.after).toEqual(report.before);
});

test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
  "netferry demo takes everything away when %s ends it in the middle",
  async (signal) => {
    const report = await runDemo({ command: SOURCE, interrupt: { at: "kill -9", signal } }, AS_WE_ARE);
    expect(report.output).toContain("The demo ended early: it was stopped");
    expect(report.code).not.toBe(0);
    expect(report.after).toEqual(report.before);
  },
);

test("netferry demo leaves no process behind when the one on stage is killed", async () => {
  const interrupt = { at: "a class and a claim", signal: "SIGKILL", to: "stage" } as const;
  const report = await runDemo({ command: SOURCE, interrupt }, AS_WE_ARE);
  expect(report.output).not.toContain("Every step held.");
  expect(report.code).toBe(1);
  expect(report.after).toEqual(report.before);
});

async function runDemo(run: DemoRun, flags: readonly string[]): Promise<DemoReport> {
  const lab = [process.execPath, join(import.meta.dir, "demo-lab.ts"), JSON.stringify(run)];
  const child = Bun.spawn(
    ["unshare", ...flags, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", ...lab],
    {
      cwd: PROJECT,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 50_000,
      killSignal: "SIGKILL",
    },
  );
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ code: child.exitCode, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}
