/** An agent that waits is small: what only its start needed, or a burst of claims, is not kept in memory. */

import { unmapOwnCode } from "../../ffi/own-code.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";

/** The start and the first scans are over. */
const FIRST_MS = 30_000;
/** What a burst of claims brought in goes within the hour; the few hundred faults to come cost less than a millisecond. */
const EVERY_MS = 3_600_000;

/** Unmaps the code that nobody runs, now and then, until `signal` aborts. Where it cannot be done the agent is larger. */
export async function keepCodeSmall(clock: Clock, log: Logger, signal: AbortSignal): Promise<void> {
  for (let delayMs = FIRST_MS; ; delayMs = EVERY_MS) {
    await clock.sleep(delayMs, signal);
    try {
      log.debug("code was unmapped", { bytes: unmapOwnCode() });
    } catch (error) {
      log.warn("code that is not needed stays in memory", { error });
    }
  }
}
