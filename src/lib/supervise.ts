import { asError } from "./errors.ts";

export type Task = (signal: AbortSignal) => Promise<void>;

/**
 * Runs tasks until `stop` aborts. The first that ends before, even without an error, ends the others, and this rejects
 * with its error: a part that died quietly would be worse than a restart.
 */
export async function superviseAll(stop: AbortSignal, tasks: Readonly<Record<string, Task>>): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([stop, failed.signal]);
  const supervise = async ([name, task]: [string, Task]) => {
    try {
      await task(signal);
      if (!signal.aborted) throw new Error("it ended without being asked to");
    } catch (cause) {
      if (!signal.aborted) failed.abort(new Error(`${name} failed`, { cause }));
    }
  };
  await Promise.all(Object.entries(tasks).map(supervise));
  if (failed.signal.aborted) throw asError(failed.signal.reason);
}
