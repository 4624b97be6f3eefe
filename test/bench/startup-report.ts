/** The figures of `./dev bench startup`, as they stand in docs/benchmarks.md. */

import { statSync } from "node:fs";
import type { DriverName } from "../cluster/both-drivers.ts";
import { dranetExecutable } from "../lab/cluster/dranet-image.ts";
import { dranetModule } from "../lab/cluster/modules.ts";
import { releasedExecutable } from "./agent.ts";
import { load, machine } from "./machine.ts";
import { ARMS, type Arm, type Counts, type Idle, type StartupPlace } from "./startup-place.ts";
import { quantile } from "./statistics.ts";

/** Of one driver. */
export class StartupRecord {
  readonly startupMs: Record<Arm, number[]> = { "no claim": [], "a claim": [], "a claim while others churn": [] };
  /** Of the arm "a claim" alone. */
  readonly asked = { reads: 0, writes: 0, prepareSeconds: 0, attachSeconds: 0 };
  idle: Idle | undefined;

  add(arm: Arm, times: readonly number[], before: Counts, after: Counts): void {
    this.startupMs[arm].push(...times);
    if (arm !== "a claim") return;
    for (const key of Object.keys(this.asked) as (keyof Counts)[]) this.asked[key] += after[key] - before[key];
  }
}

export interface StartupFacts {
  readonly place: StartupPlace;
  readonly records: ReadonlyMap<DriverName, StartupRecord>;
  readonly loadBefore: number;
  readonly idleSeconds: number;
}

export function startupReport({ place, records, loadBefore, idleSeconds }: StartupFacts): string {
  const { kubernetes, containerd } = place.lab.cluster.versions;
  const drivers = [...records.keys()].map(titleOf);
  const aims = table(
    ["with a claim", ...drivers, "netferry's aim"],
    Object.entries(CLAIM_ROWS).map(([what, { aim, value }]) => [
      what.replace("IDLE", `${idleSeconds} s`),
      ...[...records].map(([name, record]) => value(record, name, idleSeconds)),
      aim,
    ]),
  );
  return [
    `${machine()}. Kubernetes ${kubernetes}, containerd ${containerd}. Load of the machine before and after: ${loadBefore.toFixed(2)}, ${load().toFixed(2)}.`,
    table(
      ["creation to Ready, seconds (more than without a claim)", "pods", "P50", "P90", "P99"],
      [
        ...[...records].flatMap(([name, record]) => startupRows(titleOf(name), record)),
        ["the paper, with a claim", "100", "1.8", "2.1", "2.3"],
      ],
    ),
    aims,
  ].join("\n\n");
}

function titleOf(name: DriverName): string {
  return name === "DRANET" ? `DRANET ${dranetModule().version}` : name;
}

function startupRows(title: string, { startupMs }: StartupRecord): string[][] {
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  const base = startupMs["no claim"];
  return ARMS.map((arm) => {
    const cells = [0.5, 0.9, 0.99].map((share) => {
      const value = quantile(startupMs[arm], share);
      const more = value - quantile(base, share);
      const sign = more < 0 ? "−" : "+";
      return arm === "no claim" ? seconds(value) : `${seconds(value)} (${sign}${seconds(Math.abs(more))})`;
    });
    return [`${title}: ${arm}`, String(startupMs[arm].length), ...cells];
  });
}

interface ClaimRow {
  readonly aim: string;
  readonly value: (record: StartupRecord, name: DriverName, idleSeconds: number) => string;
}

const CLAIM_ROWS: Readonly<Record<string, ClaimRow>> = {
  "the driver's own share of a pod: Prepare, milliseconds": {
    aim: "",
    value: (record) => each(record, record.asked.prepareSeconds * 1000, 1),
  },
  "the driver's own share of a pod: the hook, milliseconds": {
    aim: "",
    value: (record) => each(record, record.asked.attachSeconds * 1000, 1),
  },
  "requests to the API server per pod, of these writes": {
    aim: "at most 5",
    value: (record) =>
      `${each(record, record.asked.reads + record.asked.writes, 2)}, ${each(record, record.asked.writes, 2)}`,
  },
  "writes to the API server per idle hour, measured over IDLE": {
    aim: "0",
    value: ({ idle }, _, seconds) => (((idle?.writes ?? Number.NaN) * 3600) / seconds).toFixed(0),
  },
  "memory after ten pods and IDLE, resident and anonymous, MB": {
    aim: "",
    value: ({ idle }) => `${idle?.memory.residentMb.toFixed(1)}, ${idle?.memory.anonymousMb.toFixed(1)}`,
  },
  "the executable, stripped, MB": {
    aim: "",
    value: (_, name) => (statSync(name === "DRANET" ? dranetExecutable() : releasedExecutable()).size / 1e6).toFixed(1),
  },
};

function each({ startupMs }: StartupRecord, value: number, digits: number): string {
  return (value / startupMs["a claim"].length).toFixed(digits);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
