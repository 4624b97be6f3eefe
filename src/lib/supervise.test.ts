import { expect, test } from "bun:test";
import { superviseAll } from "./supervise.ts";

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

test("superviseAll() returns when it is told to stop", async () => {
  const stop = new AbortController();
  const running = superviseAll(stop.signal, { a: untilAborted, b: untilAborted });
  stop.abort();
  expect(await running).toBeUndefined();
});

test("superviseAll() ends the others and names the one that failed", async () => {
  let ended = false;
  const other = async (signal: AbortSignal) => {
    await untilAborted(signal);
    ended = true;
  };
  const run = superviseAll(new AbortController().signal, { bad: () => Promise.reject(new Error("no")), other });
  expect(run).rejects.toThrow("bad failed");
  await run.catch(() => undefined);
  expect(ended).toBe(true);
});

test("superviseAll() takes a task that ends early for a failure", async () => {
  const run = superviseAll(new AbortController().signal, { early: () => Promise.resolve() });
  expect(run).rejects.toThrow("early failed");
  await run.catch(() => undefined);
});
