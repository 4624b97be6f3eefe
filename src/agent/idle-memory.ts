/** An agent that waits is small: what only its start needed, or a burst of claims, is not kept in memory. */

import { unmapOwnCode } from "../../ffi/own-code.ts";
import type { KernelWorkers } from "../kernel/client.ts";
import type { Clock } from "../lib/clock.ts";
import { shrinkHeap } from "../lib/heap.ts";
import type { Logger } from "../lib/log.ts";

export interface IdleMemoryParts {
  readonly kernel: Pick<KernelWorkers, "shrink">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The start and the first scans are over. */
const FIRST_MS = 30_000;
/**
 * What a burst of claims brought in goes within the hour; the few hundred faults to come, and the functions that are
 * compiled again, cost the next claim milliseconds.
 */
const EVERY_MS = 3_600_000;
/** Heaps shrink when their threads next rest, and run much of the runtime's code to do so. */
const SHRUNK_MS = 5_000;

/** Now and then gives back what nobody uses, until `signal` aborts. Where it cannot be done the agent is larger. */
export async function keepMemorySmall({ kernel, clock, log }: IdleMemoryParts, signal: AbortSignal): Promise<void> {
  for (let delayMs = FIRST_MS; ; delayMs = EVERY_MS) {
    await clock.sleep(delayMs, signal);
    kernel.shrink();
    shrinkHeap();
    await clock.sleep(SHRUNK_MS, signal);
    try {
      log.debug("code was unmapped", { bytes: unmapOwnCode() });
    } catch (error) {
      log.warn("code that is not needed stays in memory", { error });
    }
  }
}
