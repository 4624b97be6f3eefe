/** The kernel Workers from the main thread: promises for what they do, in the order in which it was asked. */

import { asError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Kernel } from "./calls.ts";
import { KernelThread } from "./thread.ts";

/**
 * Makes a Worker of `src/kernel/worker.ts`. A parameter, since the one form of its address that holds both compiled and
 * interpreted, `new Worker(new URL("./kernel/worker.ts", import.meta.url))`, has to stand in the entry file.
 */
export type CreateWorker = () => Worker;

export interface StartKernelOptions {
  readonly createWorker: CreateWorker;
  /** Where procfs is mounted, writable; default `/proc`. */
  readonly procRoot?: string;
  readonly log: Logger;
}

export interface KernelWorkers extends AsyncDisposable {
  /** For attach and detach alone: nothing else ever stands before a hook. */
  readonly hook: Kernel;
  /** For everything that can wait: scans, snapshots for plans. */
  readonly scan: Kernel;
  /**
   * `listener` hears when links, addresses or routes of the host's namespace changed, or might have while nobody could
   * watch: it then reads what it needs. Dispose the answer to hear no more.
   */
  onLinkChange(listener: () => void): Disposable;
  /** Resolves when both Workers answer or are busy with a call of reasonable length; rejects by naming the one that is not. */
  checkAlive(signal: AbortSignal): Promise<void>;
  /** Has both Workers give back memory: their next calls take milliseconds longer. */
  shrink(): void;
  /** Rejects when a Worker died: all its calls reject from then on, and the process had better start anew. */
  readonly died: Promise<never>;
}

/** Rejects when a Worker cannot start, for want of libnl for instance. */
export async function startKernel({
  createWorker,
  procRoot = "/proc",
  log,
}: StartKernelOptions): Promise<KernelWorkers> {
  await using starting = new AsyncDisposableStack();
  const listeners = new Set<() => void>();
  const onChange = () => {
    for (const listener of [...listeners]) listener();
  };
  const hook = starting.use(new KernelThread({ name: "hook", worker: createWorker(), procRoot, log, onChange }));
  const scan = starting.use(new KernelThread({ name: "scan", worker: createWorker(), procRoot, log, onChange }));
  await Promise.all([hook.ready, scan.ready]);
  const died = Promise.race([hook.died, scan.died]);
  // Whoever does not care is not to be an unhandled rejection.
  died.catch(asError);
  const owner = starting.move();
  return {
    hook: hook.kernel,
    scan: scan.kernel,
    died,
    onLinkChange(listener) {
      scan.watch();
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    shrink() {
      hook.shrink();
      scan.shrink();
    },
    async checkAlive(signal) {
      await Promise.all([hook.checkAlive(signal), scan.checkAlive(signal)]);
    },
    [Symbol.asyncDispose]: () => owner.disposeAsync(),
  };
}
