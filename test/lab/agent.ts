/** Starts netferry as a process of its own and listens to what it says. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../fakes/eventually.ts";
import { PATIENCE } from "../fakes/patience.ts";

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface AgentOptions {
  /** Arguments after `run`. `--bind-address 127.0.0.1:0` is added. */
  readonly args: readonly string[];
  /** For the executable with fault points: `kill:attach.moved`, `slow:kernel.moveLink:2500`. */
  readonly faults?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Shown with the log when a wait fails. */
  readonly name?: string;
}

const LAST_SCAN = "dranet_driver_last_scan_time_seconds";
const PROJECT = join(import.meta.dir, "../..");

/** The command that runs netferry with fault points: compiled where it was built, else from source. */
export function agentCommand(): readonly string[] {
  const compiled = join(PROJECT, "dist/netferry-faults");
  return existsSync(compiled) ? [compiled] : [process.execPath, "run", join(PROJECT, "src/main.ts")];
}

export class Agent implements AsyncDisposable {
  readonly log: LogLine[] = [];
  readonly #process: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly #reading: Promise<void>;
  readonly #listeners = new Set<() => void>();

  constructor({ args, faults, env }: AgentOptions) {
    this.#process = Bun.spawn([...agentCommand(), "run", "--bind-address", "127.0.0.1:0", ...args], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      env: { PATH: process.env["PATH"] ?? "", ...env, ...(faults === undefined ? {} : { NETFERRY_FAULT: faults }) },
    });
    this.#reading = this.#read();
  }

  get pid(): number {
    return this.#process.pid;
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  /** Where its HTTP side listens. */
  async url(): Promise<string> {
    const line = await this.logged((at) => at.message === "agent started");
    return String(line["url"]);
  }

  /** Waits until `/readyz` says ready. */
  async ready(timeoutMs = 15_000): Promise<this> {
    const url = `${await this.url()}readyz`;
    const deadline = performance.now() + timeoutMs * PATIENCE;
    for (let last = ""; ; await Bun.sleep(20)) {
      const response = await fetch(url);
      last = await response.text();
      if (response.ok) return this;
      if (performance.now() > deadline)
        throw new Error(`the agent is not ready after ${timeoutMs} ms:\n${last}${this.tail()}`);
    }
  }

  async readyz(): Promise<string> {
    return (await fetch(`${await this.url()}readyz`)).text();
  }

  /** The value of a metric; `selector` is the sample's text before the value. 0 when it is not there. */
  async metric(selector: string): Promise<number> {
    const text = await (await fetch(`${await this.url()}metrics`)).text();
    const line = text.split("\n").find((at) => at.startsWith(`${selector} `));
    return line === undefined ? 0 : Number(line.slice(selector.length + 1));
  }

  /** Waits until the host was scanned twice from now on: what the first scan found is published by the second. */
  async settled(): Promise<void> {
    for (let scans = 0; scans < 2; scans++) {
      const afterSeconds = Date.now() / 1000;
      await eventually("a scan of the host", async () => (await this.metric(LAST_SCAN)) > afterSeconds);
    }
  }

  /** The first log line, past or to come, that fits. */
  async logged(fits: (line: LogLine) => boolean, timeoutMs = 15_000): Promise<LogLine> {
    const found = Promise.withResolvers<LogLine>();
    const look = () => {
      const line = this.log.find(fits);
      if (line !== undefined) found.resolve(line);
    };
    this.#listeners.add(look);
    const timer = setTimeout(
      () => found.reject(new Error(`no such log line within ${timeoutMs} ms${this.tail()}`)),
      timeoutMs * PATIENCE,
    );
    const ended = this.#process.exited.then(() =>
      this.#reading.then(() => found.reject(new Error(`the agent ended before such a log line${this.tail()}`))),
    );
    ended.catch(() => undefined);
    look();
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(look);
    }
  }

  /** As a crash: no handler of the agent runs. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.died();
  }

  /** As the kubelet stops it. */
  async stop(): Promise<number> {
    this.#process.kill("SIGTERM");
    const code = await this.#process.exited;
    await this.#reading;
    return code;
  }

  /** Waits for its end, for a fault point that kills it. */
  async died(timeoutMs = 15_000): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`the agent still runs after ${timeoutMs} ms${this.tail()}`)),
      timeoutMs * PATIENCE,
    );
    try {
      await Promise.race([this.#process.exited, late.promise]);
    } finally {
      clearTimeout(timer);
    }
    await this.#reading;
  }

  tail(): string {
    return `\n--- its last lines\n${this.log
      .slice(-25)
      .map((line) => JSON.stringify(line))
      .join("\n")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill("SIGKILL");
    await this.#process.exited;
    await this.#reading;
  }

  async #read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stderr) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.log.push(parseLine(line));
      for (const look of [...this.#listeners]) look();
    }
    if (rest !== "") this.log.push(parseLine(rest));
  }
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: "text", message: line };
  }
}
