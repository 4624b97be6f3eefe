/** Keeps a link-event socket open and gathers what it says. */

import type { Clock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { retryUntilDone } from "../lib/retry.ts";
import { LinkEvents } from "../netlink/link-events.ts";

/** A move or a restore is dozens of events; whoever lists again after the first would list again after each. */
const GATHER_MS = 25;
const REOPEN = { firstMs: 50, limitMs: 10_000, jitter: 0.2 };

export interface WatchOptions {
  readonly clock: Clock;
  /** Something changed since the last call, or might have. */
  readonly onChange: () => void;
  /** The socket could not be opened; it is tried again. */
  readonly onFailure: (error: Error) => void;
  readonly signal: AbortSignal;
  readonly receiveBufferBytes?: number;
}

/** Watches until `signal` aborts. After each interruption a change is told: it may have happened meanwhile. */
export async function watchLinks(options: WatchOptions): Promise<void> {
  const { clock, signal } = options;
  let _gathering: ReturnType<typeof setTimeout> | undefined;
  const gather = () => {
    _gathering ??= setTimeout(() => {
      _gathering = undefined;
      if (!signal.aborted) options.onChange();
    }, GATHER_MS);
  };
  while (!signal.aborted) {
    const lost = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => lost.resolve(), { once: true });
    const open = () => LinkEvents.open({ ...options, onChange: gather, onLost: () => lost.resolve() });
    const onFailure = (error: unknown) => options.onFailure(asError(error));
    await using _events = await retryUntilDone(open, { backoff: REOPEN, clock, signal, onFailure });
    gather();
    await lost.promise;
  }
}
