/** The webhook of Python, as a process of its own that outlives agents. */

import { join } from "node:path";
import { eventually } from "../fakes/eventually.ts";

const SCRIPT = join(import.meta.dir, "python/webhook.py");

export interface WebhookRequest {
  readonly path: string;
  readonly body: {
    readonly claim_uid: string;
    readonly device: { readonly name: string; readonly mac_address?: string };
    readonly config: { readonly profile: string };
    readonly claim?: { readonly metadata: { readonly name: string; readonly uid: string } };
  } | null;
  readonly status: number;
  /** Held after it. */
  readonly leases: number;
}

export class PythonWebhook implements AsyncDisposable {
  readonly url: string;
  readonly requests: WebhookRequest[] = [];
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #reading: Promise<void>;

  private constructor(process: Bun.Subprocess<"pipe", "pipe", "inherit">, url: string, lines: AsyncGenerator<string>) {
    this.#process = process;
    this.url = url;
    this.#reading = this.#read(lines);
  }

  /** On a unix socket at `socket`, or on a port of its own. */
  static async start(socket?: string): Promise<PythonWebhook> {
    const process = Bun.spawn(["/usr/bin/python3", SCRIPT, ...(socket === undefined ? [] : [socket])], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const lines = linesOf(process.stdout);
    const { value: url } = await lines.next();
    if (typeof url !== "string") throw new Error("the webhook did not start");
    return new PythonWebhook(process, url, lines);
  }

  /** The statuses of all requests to `path`. */
  statuses(path: string): readonly number[] {
    return this.requests.filter((one) => one.path === path).map(({ status }) => status);
  }

  get leases(): number {
    return this.requests.at(-1)?.leases ?? 0;
  }

  /** The next requests to `path` are answered so, one by each status. */
  async fail(path: string, ...statuses: readonly number[]): Promise<void> {
    const told = () => this.statuses("told").length;
    const wanted = told() + statuses.length;
    for (const status of statuses) this.#process.stdin.write(`${path} ${status}\n`);
    await this.#process.stdin.flush();
    await eventually("the webhook heard it", () => told() === wanted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    await this.#reading;
  }

  async #read(lines: AsyncGenerator<string>): Promise<void> {
    for await (const line of lines) this.requests.push(JSON.parse(line) as WebhookRequest);
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
