/** The compiled agent as a process of its own, without the options that make tests quick. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ARCHITECTURES } from "../../deploy/build/architecture.ts";

const PROJECT = join(import.meta.dir, "../..");
const READY_LIMIT_MS = 10_000;

/** The release of this machine's architecture. */
export function releasedExecutable(): string {
  return join(PROJECT, ARCHITECTURES[process.arch === "arm64" ? "arm64" : "amd64"].outfile);
}

export interface AgentMemory {
  readonly residentMb: number;
  readonly anonymousMb: number;
  /** What other processes that run the same executable would share is divided among them. */
  readonly proportionalMb: number;
}

export class BenchAgent implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"ignore", "ignore", "ignore" | Bun.BunFile>;
  readonly #logPath: string;
  readonly #url: string;
  readonly #startedMs: number;

  /** `port` must be free: the namespace is the section's own. */
  constructor(args: readonly string[], port: number, logPath: string, env: Readonly<Record<string, string>> = {}) {
    this.#logPath = logPath;
    this.#url = `http://127.0.0.1:${port}/readyz`;
    const command = [releasedExecutable(), "run", "--bind-address", `127.0.0.1:${port}`, "--filter=", ...args];
    this.#startedMs = performance.now();
    this.#process = Bun.spawn(command, {
      stdio: ["ignore", "ignore", Bun.file(logPath)],
      env: { PATH: process.env["PATH"] ?? "", ...env },
    });
  }

  /** Waits until `/readyz` says so and answers the milliseconds since exec; a look every two milliseconds. */
  async ready(): Promise<number> {
    for (let last = "no answer"; ; await Bun.sleep(2)) {
      try {
        const response = await fetch(this.#url);
        if (response.ok) return performance.now() - this.#startedMs;
        last = await response.text();
      } catch {
        last = "no answer"; // it does not listen yet
      }
      if (performance.now() - this.#startedMs > READY_LIMIT_MS)
        throw new Error(`the agent is not ready after ${READY_LIMIT_MS} ms: ${last}\n${this.log()}`);
    }
  }

  /** Milliseconds since exec. */
  get ageMs(): number {
    return performance.now() - this.#startedMs;
  }

  get memory(): AgentMemory {
    return memoryOf(this.#process.pid);
  }

  log(): string {
    return readFileSync(this.#logPath, "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
  }
}

export function memoryOf(pid: number): AgentMemory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return {
    residentMb: megabytes(status, "VmRSS"),
    anonymousMb: megabytes(status, "RssAnon"),
    proportionalMb: megabytes(rollup, "Pss"),
  };
}

/** The kernel's kB are KiB. */
function megabytes(text: string, key: string): number {
  const kib = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(text)?.[1];
  if (kib === undefined) throw new Error(`procfs shows no ${key}.`);
  return (Number(kib) * 1024) / 1e6;
}
