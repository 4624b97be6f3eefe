/**
 * Runs `netferry demo` within fresh network, mount and process namespaces, where nobody else changes anything, and prints
 * as JSON what it wrote and how the machine was before and after. Argument: a DemoRun as JSON.
 */

import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "../fakes/eventually.ts";

export interface DemoRun {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Sends the signal once, when the output holds the text: to the process that was started, or to the one on stage. */
  readonly interrupt?: {
    readonly at: string;
    readonly signal: "SIGINT" | "SIGTERM" | "SIGKILL";
    readonly to?: "stage";
  };
}

export interface DemoReport {
  readonly code: number | null;
  readonly output: string;
  readonly seconds: number;
  readonly before: MachineState;
  readonly after: MachineState;
}

/** What the demo must leave as it was. */
interface MachineState {
  readonly addresses: string;
  readonly routes: string;
  readonly mounts: readonly string[];
  readonly files: readonly string[];
  readonly processes: readonly string[];
}

const run = JSON.parse(process.argv[2] ?? "") as DemoRun;
/** Of other tests, in our copy of the mounts: they go, here too, when those tests remove their files. */
const strangers = new Set(mounts().filter((line) => /^(\S+ ){4}\/(tmp|run)\//.test(line)));
/** Empty ones of our own, unless this project itself stands in one. */
const emptied = ["/tmp", "/run"].filter((directory) =>
  [import.meta.dir, process.execPath].every((path) => !path.startsWith(`${directory}/`)),
);
for (const directory of emptied) output("mount", "-t", "tmpfs", "tmpfs", directory);
const before = machineState();
const startMs = performance.now();
const demo = Bun.spawn([...run.command, "demo"], {
  stdio: ["ignore", "pipe", "inherit"],
  env: { PATH: process.env["PATH"] ?? "", ...run.env },
});
let text = "";
let isInterrupted = false;
for await (const chunk of demo.stdout.pipeThrough(new TextDecoderStream())) {
  text += chunk;
  if (isInterrupted || run.interrupt === undefined || !text.includes(run.interrupt.at)) continue;
  isInterrupted = true;
  process.kill(run.interrupt.to === "stage" ? stagePid() : demo.pid, run.interrupt.signal);
}
await demo.exited;
const seconds = (performance.now() - startMs) / 1000;
// What was killed takes a moment to end, and the kernel to notice.
await eventually("only the processes of before", () => others().length === before.processes.length, 10_000).catch(
  () => undefined, // the report shows what is left
);
const report: DemoReport = { code: demo.exitCode, output: text, seconds, before, after: machineState() };
console.log(JSON.stringify(report));

function stagePid(): number {
  const isStage = (id: string) => read(`/proc/${id}/environ`).split("\0").includes("NETFERRY_DEMO_ROLE=stage");
  return Number(processIds().find(isStage));
}

function machineState(): MachineState {
  return {
    addresses: output("ip", "-d", "-j", "address"),
    routes: output("ip", "-j", "route", "show", "table", "all"),
    mounts: mounts().filter((line) => !strangers.has(line)),
    files: [
      ...emptied.flatMap((directory) => readdirSync(directory, { recursive: true }).map(String)),
      ...["/media", "/srv", "/mnt"].flatMap((directory) => readdirSync(directory)),
    ],
    processes: others(),
  };
}

function mounts(): readonly string[] {
  return readFileSync("/proc/self/mountinfo", "utf8").split("\n");
}

/** Command lines of all processes but this one. A zombie has none. */
function others(): readonly string[] {
  return processIds().flatMap((id) => read(`/proc/${id}/cmdline`).replaceAll("\0", " ") || []);
}

function processIds(): readonly string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
}

/** Nothing when the process ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function output(...command: string[]): string {
  const child = Bun.spawnSync(command);
  if (!child.success) throw new Error(`${command.join(" ")}: ${child.stderr.toString()}`);
  return child.stdout.toString();
}
