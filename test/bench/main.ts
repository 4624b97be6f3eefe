/**
 * `./dev bench [--quick] [--write]`: prints the figures of docs/benchmarks.md. `--quick` takes few rounds, to see that it
 * works; `--write` puts the figures into that page. Needs root. Whether an aim is met is told and decides nothing.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startContainerd } from "../lab/runtime/containerd.ts";
import type { Figures } from "./figures.ts";
import { load, machine } from "./machine.ts";
import { countOperations } from "./operations.ts";
import { aimsTable, factsTable, operationsTable, seriesTable } from "./report.ts";

const PROJECT = join(import.meta.dir, "../..");
const PAGE = join(PROJECT, "docs/benchmarks.md");
const BEGIN = "<!-- figures: written by ./dev bench --write -->";
const END = "<!-- end of figures -->";
/** Each section is the only one in its namespaces: its links are the host's links there. */
const OWN_NAMESPACES = ["unshare", "--net", "--mount", "--propagation", "private"];
/**
 * Before what else runs on the machine, all sides of a comparison alike: as real-time tasks, where that is allowed. They
 * sleep most of the time, since the kernel waits.
 */
const FIRST = ["sh", "-c", 'if chrt -f 10 true 2>/dev/null; then set -- chrt -f 10 "$@"; fi; exec "$@"', "sh"];

const unknown = process.argv.slice(2).find((argument) => argument !== "--quick" && argument !== "--write");
if (unknown !== undefined || process.getuid?.() !== 0) {
  console.error(
    unknown === undefined
      ? "The benchmark makes links and namespaces: run it as root."
      : `There is no option ${unknown}; there are --quick and --write.`,
  );
  process.exit(2);
}
const isQuick = process.argv.includes("--quick");
const rounds = isQuick ? { attach: 5, scan: 5, agents: 3 } : { attach: 200, scan: 100, agents: 50 };
const idleSeconds = isQuick ? 5 : 60;

const dir = mkdtempSync(join(tmpdir(), "netferry-bench-"));
try {
  await prepare();
  const loadBefore = load();
  const parts = [
    section("attach.ts", rounds.attach),
    section("scan.ts", rounds.scan),
    section("agents.ts", rounds.agents, idleSeconds),
  ];
  const figures: Figures = {
    series: Object.assign({}, ...parts.map(({ series }) => series)),
    facts: Object.assign({}, ...parts.map(({ facts }) => facts)),
  };
  const loads = `Load of the machine before and after: ${loadBefore.toFixed(2)}, ${load().toFixed(2)}.`;
  const operations = await countOperations(OWN_NAMESPACES, join(dir, "trace"));
  const text = [
    `${machine()}. ${loads}`,
    aimsTable(figures),
    seriesTable(figures),
    factsTable(figures),
    operations === undefined
      ? "strace is missing, so the kernel operations were not counted."
      : operationsTable(operations),
  ].join("\n\n");
  console.log(text);
  if (process.argv.includes("--write")) write(text);
} finally {
  rmSync(dir, { recursive: true, force: true });
}

/** Everything that needs the network or the whole processor comes before the first measurement. */
async function prepare(): Promise<void> {
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  command([process.execPath, join(PROJECT, "deploy/build.ts"), architecture]);
  await using _ = await startContainerd({ suite: "sid" }); // fetches its packages
}

function section(file: string, ...args: readonly number[]): Figures {
  console.error(`${file} ...`);
  return JSON.parse(
    command([...FIRST, ...OWN_NAMESPACES, process.execPath, join(import.meta.dir, file), ...args.map(String)]),
  );
}

function command(argv: readonly string[]): string {
  const { success, stdout } = Bun.spawnSync([...argv], { stdin: "ignore", stderr: "inherit" });
  if (!success) throw new Error(`${argv.join(" ")} failed; what it said stands above.`);
  return stdout.toString();
}

function write(text: string): void {
  const page = readFileSync(PAGE, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${PAGE} lacks the lines that say where the figures go.`);
  writeFileSync(PAGE, `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${page.slice(end)}`);
  console.error(`wrote ${PAGE}`);
}
