import { expect, test } from "bun:test";
import { eventually } from "../../test/fakes/eventually.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { type Verdict, WriteQueue } from "./write-queue.ts";

class Lab implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly written: string[] = [];
  readonly failures: string[] = [];
  /** Thrown by the next writes, in order; the text is the verdict. */
  readonly verdicts: Verdict[] = [];
  /** While set, writes hang until it resolves. */
  gate: Promise<void> | undefined;
  readonly queue: WriteQueue<string>;
  readonly #stop = new AbortController();
  readonly #run: Promise<void>;

  constructor(limit?: number) {
    this.queue = new WriteQueue<string>({
      write: async (item) => {
        await this.gate;
        const verdict = this.verdicts.shift();
        if (verdict !== undefined) throw new Error(verdict);
        this.written.push(item);
      },
      judge: (error) => (error as Error).message as Verdict,
      onFailure: (_error, item, verdict, delayMs) => this.failures.push(`${item} ${verdict} ${delayMs}`),
      clock: this.clock,
      backoff: { firstMs: 1000, limitMs: 4000, jitter: 0 },
      settleMs: 50,
      laterMs: 60_000,
      ...(limit === undefined ? {} : { limit }),
    });
    this.#run = this.queue.run(this.#stop.signal);
  }

  /** Lets `ms` pass once the queue waits for exactly that. */
  async pass(ms: number): Promise<void> {
    await eventually(`the queue sleeps for ${ms} ms`, () => this.clock.sleeping[0] === ms);
    this.clock.advance(ms);
  }

  async wrote(...items: string[]): Promise<void> {
    await eventually("all is written", () => this.written.length >= items.length);
    expect(this.written).toEqual(items);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#run;
  }
}

test("WriteQueue writes the newest of what came for a key while it settled", async () => {
  await using lab = new Lab();
  for (const item of ["a1", "a2", "a3"]) lab.queue.put("a", item);
  lab.queue.put("b", "b1");
  await lab.pass(50);
  await lab.wrote("a3", "b1");
});

test("WriteQueue writes one at a time, and again what changed while it was written", async () => {
  await using lab = new Lab();
  const gate = Promise.withResolvers<void>();
  lab.gate = gate.promise;
  lab.queue.put("a", "a1");
  await lab.pass(50);
  await eventually("the write is under way", () => lab.queue.size === 0);
  lab.queue.put("a", "a2");
  expect(lab.written).toEqual([]);
  gate.resolve();
  await lab.wrote("a1");
  await lab.pass(50);
  await lab.wrote("a1", "a2");
});

test("WriteQueue writes by the shorter of two waits", async () => {
  await using lab = new Lab();
  lab.queue.put("a", "a1", 2000);
  await eventually("the queue sleeps", () => lab.clock.sleeping[0] === 2000);
  lab.queue.put("a", "a2");
  await lab.pass(50);
  await lab.wrote("a2");
  lab.queue.put("b", "b1");
  lab.queue.put("b", "b2", 2000);
  await lab.pass(50);
  await lab.wrote("a2", "b2");
});

test("WriteQueue holds everything back while the server has a problem, longer with each failure", async () => {
  await using lab = new Lab();
  lab.verdicts.push("retry", "retry", "retry", "retry");
  lab.queue.put("a", "a1");
  await lab.pass(50);
  lab.queue.put("b", "b1");
  for (const delayMs of [1000, 2000, 4000, 4000]) await lab.pass(delayMs);
  await lab.wrote("a1", "b1");
  expect(lab.failures).toEqual(["a1 retry 1000", "b1 retry 2000", "a1 retry 4000", "b1 retry 4000"]);
  lab.verdicts.push("retry");
  lab.queue.put("c", "c1");
  await lab.pass(50);
  await lab.pass(1000); // a success ends the growth
  await lab.wrote("a1", "b1", "c1");
});

test("WriteQueue goes on with the others while one item has a problem of its own", async () => {
  await using lab = new Lab();
  lab.verdicts.push("later");
  lab.queue.put("a", "a1");
  await lab.pass(50);
  await eventually("it has failed", () => lab.failures.length === 1);
  lab.queue.put("b", "b1");
  await lab.pass(50);
  await lab.wrote("b1");
  lab.queue.put("a", "a2");
  await lab.pass(60_000 - 50);
  await lab.wrote("b1", "a2");
});

test("WriteQueue drops what never can be written", async () => {
  await using lab = new Lab();
  lab.verdicts.push("drop");
  lab.queue.put("a", "a1");
  await lab.pass(50);
  await eventually("it has failed", () => lab.failures.length === 1);
  expect(lab.queue.size).toBe(0);
  lab.queue.put("a", "a2");
  await lab.pass(50);
  await lab.wrote("a2");
});

test("WriteQueue forgets the oldest above its limit", async () => {
  await using lab = new Lab(2);
  for (const item of ["a", "b", "c"]) lab.queue.put(item, item);
  await lab.pass(50);
  await lab.wrote("b", "c");
});
