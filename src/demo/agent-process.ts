/** The agent as a process of its own, as on a node: started, listened to, killed. */

import { describeError } from "../lib/errors.ts";
import { childEnvironment, OWN_COMMAND } from "./self.ts";

type LogLine = Readonly<Record<string, unknown>> & { readonly message: string };

const WAIT_LIMIT_MS = 10_000;
const TAIL_LINES = 6;

export class AgentProcess implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"inherit", "inherit", "pipe">;
  readonly #lines: LogLine[] = [];
  readonly #reading: Promise<void>;
  readonly #onLine = new Set<() => void>();

  constructor(args: readonly string[]) {
    this.#process = Bun.spawn([...OWN_COMMAND, "run", ...args], {
      stdio: ["inherit", "inherit", "pipe"],
      env: childEnvironment(),
    });
    this.#reading = this.#read();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The first log line, past or to come, with this message. Rejects when the agent ends without, or takes too long. */
  async logged(message: string): Promise<LogLine> {
    const found = Promise.withResolvers<LogLine>();
    const look = () => {
      const line = this.#lines.find((candidate) => candidate.message === message);
      if (line !== undefined) found.resolve(line);
    };
    const fail = (how: string) => found.reject(new Error(`the agent ${how} "${message}"`));
    const timer = setTimeout(() => fail(`does not say within ${WAIT_LIMIT_MS / 1000} s:`), WAIT_LIMIT_MS);
    this.#onLine.add(look);
    void this.#reading.then(() => fail("ended before it said"));
    look();
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      this.#onLine.delete(look);
    }
  }

  /** As a crash: no handler of the agent runs. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  /** As an orderly end; answers the exit code. */
  async stop(): Promise<number> {
    this.#process.kill("SIGTERM");
    return await this.#process.exited;
  }

  /** Its last words, for whoever has to find out why a step failed. */
  tail(): readonly string[] {
    return this.#lines.slice(-TAIL_LINES).map((line) => JSON.stringify(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
    await this.#reading;
  }

  async #read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stderr) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      this.#lines.push(...lines.map(parseLine));
      for (const look of [...this.#onLine]) look();
    }
    if (rest !== "") this.#lines.push(parseLine(rest));
  }
}

/** What is no JSON comes from the engine itself, about a crash. */
function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text);
  } catch (error) {
    return { message: text, problem: describeError(error) };
  }
}
