/**
 * `./dev bench startup [--pods N] [--idle SECONDS] [--without-dranet] [--write]`: from a pod's creation to its readiness in a
 * real cluster, with netferry and with DRANET, in arms that take turns. `--write` puts the figures into docs/benchmarks.md.
 * Needs root, and the cluster lab's builds; what of them is not in the cache is built first.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeError } from "../../src/lib/errors.ts";
import { DRIVERS } from "../cluster/both-drivers.ts";
import { load } from "./machine.ts";
import { PodWatch } from "./pod-watch.ts";
import { type StartupOptions, startupOptions } from "./startup-options.ts";
import { ARMS, StartupPlace } from "./startup-place.ts";
import { StartupRecord, startupReport } from "./startup-report.ts";

const PAGE = join(import.meta.dir, "../../docs/benchmarks.md");
const BEGIN = "<!-- figures: written by ./dev bench startup --write -->";
const END = "<!-- end of figures of startup -->";
/** Pods of one turn of an arm; each has a link that waits for it. */
const TURN = 10;

const { pods, idleSeconds, hasDranet, writes } = options();
const turns = Math.max(1, Math.round(pods / TURN));
const names = hasDranet ? DRIVERS : (["netferry"] as const);

await using place = await StartupPlace.start(TURN);
await using watch = await PodWatch.start(place.lab.cluster);
const loadBefore = load();
const records = new Map(names.map((name) => [name, new StartupRecord()]));
// The first pods of a cluster are slower, and do not count.
for (let round = -1; round < turns; round++)
  for (const [name, record] of rotated([...records], round + 1)) {
    await place.run(name);
    for (const arm of rotated(ARMS, round + 1)) {
      const before = await place.counts();
      const times = await place.turn(arm, watch);
      if (round >= 0) record.add(arm, times, before, await place.counts());
    }
    if ((await place.counts()).reads === 0) throw new Error(`the API server does not count the requests of ${name}`);
    console.error(`${name}: ${round + 1} of ${turns} turns`);
  }
for (const [name, record] of records) {
  await place.run(name);
  await place.turn("a claim", watch);
  record.idle = await place.idle(idleSeconds);
}

const text = startupReport({ place, records, loadBefore, idleSeconds });
console.log(text);
if (writes) write(text);

function options(): StartupOptions {
  try {
    return startupOptions(process.argv.slice(2));
  } catch (error) {
    console.error(describeError(error));
    process.exit(2);
  }
}

function write(text: string): void {
  const page = readFileSync(PAGE, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${PAGE} lacks the marks between which the figures stand`);
  writeFileSync(PAGE, `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${page.slice(end)}`);
}

function rotated<T>(all: readonly T[], by: number): readonly T[] {
  const at = by % all.length;
  return [...all.slice(at), ...all.slice(0, at)];
}
