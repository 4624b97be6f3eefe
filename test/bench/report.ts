/** The figures as Markdown tables, which read as well in a terminal. */

import type { Figures } from "./figures.ts";
import type { Operations } from "./operations.ts";
import { summarise } from "./statistics.ts";

interface Aim {
  readonly what: string;
  readonly unit: string;
  readonly most: number;
  readonly value: (figures: Figures) => number | undefined;
}

const AIMS: readonly Aim[] = [
  { what: "attach, netferry ÷ C", unit: "×", most: 1.15, value: (f) => ratio(f, "attach: netferry", "attach: C") },
  { what: "detach, netferry ÷ C", unit: "×", most: 1.15, value: (f) => ratio(f, "detach: netferry", "detach: C") },
  {
    what: "scan of 1024 links, until the devices are known",
    unit: "ms",
    most: 40,
    value: (f) => median(f, "scan of 1024 links: until the devices are known"),
  },
  ...(["standalone", "cluster"] as const).flatMap((mode) => [
    {
      what: `exec to ready, ${mode}`,
      unit: "ms",
      most: 250,
      value: (f: Figures) => median(f, `exec to ready: ${mode}`),
    },
    {
      what: `idle, ${mode}, resident`,
      unit: "MB",
      most: 65,
      value: (f: Figures) => fact(f, `idle: ${mode}, resident MB`),
    },
    {
      what: `idle, ${mode}, anonymous`,
      unit: "MB",
      most: 20,
      value: (f: Figures) => fact(f, `idle: ${mode}, anonymous MB`),
    },
  ]),
];

export function seriesTable({ series }: Figures): string {
  return table(
    ["ms", "median", "p99", "rounds"],
    Object.entries(series).map(([name, values]) => {
      const { median, p99, rounds } = summarise(values);
      return [name, number(median), number(p99), String(rounds)];
    }),
  );
}

export function factsTable({ facts }: Figures): string {
  return table(
    ["single values", ""],
    Object.entries(facts).map(([name, value]) => [name, typeof value === "number" ? number(value) : value]),
  );
}

/** What the project aims at, and what this run gave. */
export function aimsTable(figures: Figures): string {
  return table(
    ["aim", "at most", "measured", ""],
    AIMS.map(({ what, unit, most, value }) => {
      const measured = value(figures);
      if (measured === undefined) throw new Error(`nothing was measured for "${what}"`);
      return [what, `${most} ${unit}`, `${number(measured)} ${unit}`, measured <= most ? "held" : "missed"];
    }),
  );
}

/** The kernel operations of both sides; equal rows say that they do the same. */
export function operationsTable(operations: Operations): string {
  const marks = ["netferry attach", "C attach", "netferry detach", "C detach"];
  return table(
    ["kernel operations of one round", ...marks, ""],
    Object.entries(operations)
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([operation, counts]) => {
        const [attach = 0, cAttach = 0, detach = 0, cDetach = 0] = marks.map((mark) => counts[mark]);
        const same = attach === cAttach && detach === cDetach;
        return [operation, ...[attach, cAttach, detach, cDetach].map(String), same ? "same" : "differs"];
      }),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) =>
    Math.max(3, ...[title, ...rows.map((row) => row[at] ?? "")].map((t) => t.length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, at) => (at === 0 ? (cells[at] ?? "").padEnd(width) : (cells[at] ?? "").padStart(width))).join(" | ")} |`;
  const rule = widths.map((width, at) => (at === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

function number(value: number): string {
  return value.toFixed(value < 1 ? 3 : value < 100 ? 2 : 1);
}

function median({ series }: Figures, name: string): number | undefined {
  const values = series[name];
  return values === undefined ? undefined : summarise(values).median;
}

function ratio(figures: Figures, name: string, base: string): number | undefined {
  const [above, below] = [median(figures, name), median(figures, base)];
  return above === undefined || below === undefined ? undefined : above / below;
}

function fact({ facts }: Figures, name: string): number | undefined {
  const value = facts[name];
  return typeof value === "number" ? value : undefined;
}
