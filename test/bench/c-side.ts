/** The C program of attach.c as a process that takes orders. */

import { join } from "node:path";
import { run } from "../lab/netns.ts";
import { type BenchPlace, LINK } from "./place.ts";

export interface CSample {
  readonly wholeMs: number;
  /** The kernel's part of the move: one request. */
  readonly moveMs: number;
}

export class CSide implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;

  private constructor(command: readonly string[]) {
    this.#process = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.#answers = lines(this.#process.stdout);
  }

  /** Compiles the program and starts it, in the network namespace of this process, behind `prefix` (for strace). */
  static start(place: BenchPlace, prefix: readonly string[] = []): CSide {
    const program = join(place.dir, "attach");
    const flags = run(["pkg-config", "--cflags", "--libs", "libnl-3.0", "libnl-route-3.0"]).trim().split(/\s+/);
    run(["gcc", "-O2", "-Wall", "-o", program, join(import.meta.dir, "attach.c"), ...flags]);
    return new CSide([...prefix, program, LINK, place.pod.path]);
  }

  attach(): Promise<CSample> {
    return this.#order("attach");
  }

  detach(): Promise<CSample> {
    return this.#order("detach");
  }

  async #order(order: string): Promise<CSample> {
    await this.#process.stdin.write(`${order}\n`);
    await this.#process.stdin.flush();
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error("attach.c ended; what it said stands above");
    const [wholeMs = Number.NaN, moveMs = Number.NaN] = answer.value.split(" ").map((ns) => Number(ns) / 1e6);
    return { wholeMs, moveMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stdin.end();
    await this.#process.exited;
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
