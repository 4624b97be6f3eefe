/** The directory of claim files: read as a whole, and read again when something in it changes. */

import { type FSWatcher, watch } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { describeError } from "../lib/errors.ts";
import type { ClaimFiles, FileProblem } from "./claim-file.ts";
import type { DeviceClass, ResourceClaim } from "./objects.ts";

/** Larger is no file of claims. */
const MAX_FILE_BYTES = 1 << 20;

/** In the order of file names; of two objects with the same name the first counts. Never rejects. */
export async function readClaimDirectory(directory: string): Promise<ClaimFiles> {
  let names: string[];
  try {
    names = (await readdir(directory)).filter((name) => /^[^.].*\.(ya?ml|json)$/.test(name)).toSorted();
  } catch (error) {
    return { claims: [], classes: [], problems: [{ file: directory, line: 0, reason: describeError(error) }] };
  }
  return merge(await Promise.all(names.map((name) => readOne(directory, name))), names);
}

async function readOne(directory: string, name: string): Promise<ClaimFiles> {
  try {
    const path = join(directory, name);
    const found = await stat(path);
    // A pipe without a writer would never be read to its end, a device may have none.
    if (!found.isFile()) throw new Error("is no file");
    if (found.size > MAX_FILE_BYTES) throw new Error(`is larger than ${MAX_FILE_BYTES} bytes`);
    const { readClaimFile } = await import("./claim-file.ts");
    return readClaimFile(name, await readFile(path, "utf8"));
  } catch (error) {
    return { claims: [], classes: [], problems: [{ file: name, line: 0, reason: describeError(error) }] };
  }
}

function merge(files: readonly ClaimFiles[], names: readonly string[]): ClaimFiles {
  const claims = new Map<string, ResourceClaim>();
  const classes = new Map<string, DeviceClass>();
  const problems: FileProblem[] = [];
  const seen = new Map<string, string>();
  for (const [i, file] of files.entries()) {
    const name = names[i] ?? "";
    const isNew = (key: string, what: string): boolean => {
      const first = seen.get(key);
      if (first !== undefined) problems.push({ file: name, line: 0, reason: `${what} is in ${first} already` });
      else seen.set(key, name);
      return first === undefined;
    };
    problems.push(...file.problems);
    for (const one of file.classes)
      if (isNew(`class ${one.name}`, `DeviceClass ${one.name}`)) classes.set(one.name, one);
    for (const one of file.claims) {
      const what = `ResourceClaim ${one.namespace}/${one.name}`;
      if (isNew(what, what) && isNew(`uid ${one.uid}`, `the UID ${one.uid} of ${what}`)) claims.set(one.uid, one);
    }
  }
  return { claims: [...claims.values()], classes: [...classes.values()], problems };
}

export interface WatchOptions {
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Once at the start, then after each change. The next reading waits until it is done. */
  readonly onChange: (files: ClaimFiles) => Promise<void> | void;
  /** Editors and `kubectl`-like tools write in several steps. */
  readonly settleMs?: number;
  /** The directory is read again after this time without an event: inotify does not see a directory that was replaced. */
  readonly rescanMs?: number;
}

/** Resolves when `signal` aborts; rejects with what `onChange` throws. */
export async function watchClaimDirectory(options: WatchOptions): Promise<void> {
  const { directory, signal, clock, settleMs = 100, rescanMs = 10_000 } = options;
  let last: string | undefined;
  while (!signal.aborted) {
    // Armed before the reading, so that no change falls between the two.
    using events = new Doorbell(directory, signal);
    const files = await readClaimDirectory(directory);
    const text = JSON.stringify(files);
    if (text !== last) await options.onChange(files);
    last = text;
    await events.rung(clock, rescanMs);
    if (!signal.aborted) await clock.sleep(settleMs, signal).catch(() => undefined);
  }
}

/** Rings at the first event in a directory, when the watch breaks, and when `signal` aborts. */
class Doorbell implements Disposable {
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #watcher: FSWatcher | undefined;

  constructor(directory: string, signal: AbortSignal) {
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    try {
      this.#watcher = watch(directory, () => this.#stop.abort());
      this.#watcher.on("error", () => this.#stop.abort());
    } catch {
      // It is not there yet, which the reading reports; only time will tell when it is.
      this.#watcher = undefined;
    }
  }

  /** After `limitMs` at the latest. */
  async rung(clock: Clock, limitMs: number): Promise<void> {
    await clock.sleep(limitMs, this.#signal).catch(() => undefined);
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}
