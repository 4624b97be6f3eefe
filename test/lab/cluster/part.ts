/** One program of the cluster. It outlives the process that started it, so it is known by id and start time. */
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { isAlive, type ProcessId, processId } from "./process-id.ts";
import { until } from "./wait.ts";

export interface PartSettings {
  readonly name: string;
  readonly argv: readonly string[];
  readonly log: string;
  readonly home: string;
  /** Puts a command into the node. */
  readonly wrap: (argv: readonly string[]) => readonly string[];
  /** Called with the new process, or with undefined when it has ended. */
  readonly remember: (id: ProcessId | undefined) => void;
  /** Is it of use? Asked until it is. */
  readonly ready: () => Promise<boolean>;
  readonly readyLimitMs: number;
}

const STOP_LIMIT_MS = 30_000;
const LOG_TAIL_LINES = 25;

export class Part {
  readonly name: string;
  readonly log: string;
  readonly #settings: PartSettings;
  #id: ProcessId | undefined;

  constructor(settings: PartSettings, id?: ProcessId) {
    this.name = settings.name;
    this.log = settings.log;
    this.#settings = settings;
    this.#id = id;
  }

  /** Undefined while it is down. */
  get pid(): number | undefined {
    return this.#id !== undefined && isAlive(this.#id) ? this.#id.pid : undefined;
  }

  /** Starts the program where it is down, and waits until it is ready. Throws with the end of its log. */
  async start(): Promise<void> {
    if (this.pid === undefined) this.#spawn();
    const ready = async () => {
      if (this.pid === undefined) throw new Error("it has ended");
      return await this.#settings.ready();
    };
    try {
      await until("it is ready", ready, this.#settings.readyLimitMs);
    } catch (cause) {
      throw new Error(`${this.name} of the cluster does not start; the end of ${this.log}:\n${this.logTail()}`, {
        cause,
      });
    }
  }

  /** Ends the program and waits until it is gone. What it started runs on. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const id = this.#id;
    if (id !== undefined && isAlive(id)) {
      process.kill(id.pid, signal);
      await until(`${this.name} (${id.pid}) has ended after ${signal}`, () => !isAlive(id), STOP_LIMIT_MS);
    }
    this.#id = undefined;
    this.#settings.remember(undefined);
  }

  async restart(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    await this.stop(signal);
    await this.start();
  }

  logTail(lines = LOG_TAIL_LINES): string {
    if (!existsSync(this.log)) return "(no log)";
    return readFileSync(this.log, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  }

  #spawn(): void {
    const { argv, home, wrap } = this.#settings;
    const log = openSync(this.log, "a");
    try {
      const child = Bun.spawn([...wrap(argv)], {
        stdio: ["ignore", log, log],
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: home },
        detached: true,
      });
      child.unref();
      this.#id = processId(child.pid);
    } finally {
      closeSync(log);
    }
    this.#settings.remember(this.#id);
  }
}
