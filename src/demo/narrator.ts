/** Tells the demo's steps: a number, what is done, and whether it held. */

import { describeError } from "../lib/errors.ts";

const TITLE_WIDTH = 79;
const GREEN = 32;
const RED = 31;
const DIM = 2;

/** Adds lines to what is shown below a step. */
export type Show = (lines: string | readonly string[]) => void;

export class Narrator {
  readonly #write: (text: string) => Promise<void>;
  readonly #isColoured: boolean;
  readonly #startMs = performance.now();
  #steps = 0;
  #stopped: Error | undefined;
  #hasFailed = false;

  constructor(options: { readonly write: (text: string) => Promise<void>; readonly isColoured: boolean }) {
    this.#write = options.write;
    this.#isColoured = options.isColoured;
  }

  /** Whether a step has failed, and its reason has been told. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  get elapsedSeconds(): string {
    return ((performance.now() - this.#startMs) / 1000).toFixed(1);
  }

  /** No step begins any more, and what becomes of the one under way is not told. */
  stop(reason: Error): void {
    this.#stopped = reason;
  }

  /** Does one step and answers what `task` does. A step holds when its task resolves; what it throws is told and thrown on. */
  async step<T>(title: string, task: (show: Show) => Promise<T>): Promise<T> {
    const shown: string[] = [];
    this.#throwIfStopped();
    await this.#write(`${`${++this.#steps}`.padStart(2)}. ${title.padEnd(TITLE_WIDTH)} `);
    try {
      this.#throwIfStopped();
      const answer = await task((lines) => shown.push(...(typeof lines === "string" ? lines.split("\n") : lines)));
      await this.say(this.#paint(GREEN, "ok"));
      await this.details(shown);
      return answer;
    } catch (error) {
      this.#throwIfStopped();
      this.#hasFailed = true;
      await this.say(this.#paint(RED, "FAILED"));
      await this.details([...shown, ...describeError(error).split("\n")]);
      throw error;
    }
  }

  async details(lines: readonly string[]): Promise<void> {
    for (const line of lines) if (line.trim() !== "") await this.say(this.#paint(DIM, `      ${line.trimEnd()}`));
  }

  async say(line = ""): Promise<void> {
    await this.#write(`${line}\n`);
  }

  #throwIfStopped(): void {
    if (this.#stopped !== undefined) throw this.#stopped;
  }

  #paint(code: number, text: string): string {
    return this.#isColoured ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/** Writes to stdout and waits until it is out: the process may end right after. */
export function writeOut(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
