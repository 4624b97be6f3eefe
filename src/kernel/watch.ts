/** Keeps an event socket open and gathers what it says. */

import type { Clock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { retryUntilDone } from "../lib/retry.ts";
import { type EventSource, NetlinkEvents } from "../netlink/events.ts";

/** A move or a restore is dozens of events; whoever lists again after the first would list again after each. */
const GATHER_MS = 25;
const REOPEN = { firstMs: 50, limitMs: 10_000, jitter: 0.2 };

export interface WatchOptions {
  readonly sources: readonly EventSource[];
  readonly clock: Clock;
  /** Something changed since the last call, or might have. */
  readonly onChange: () => void;
  /** The socket could not be opened; it is tried again. */
  readonly onFailure: (error: Error) => void;
  readonly signal: AbortSignal;
  readonly receiveBufferBytes?: number;
}

/** Watches until `signal` aborts. After each interruption a change is told: it may have happened meanwhile. */
export async function watchEvents(options: WatchOptions): Promise<void> {
  let _gathering: ReturnType<typeof setTimeout> | undefined;
  const gather = () => {
    _gathering ??= setTimeout(() => {
      _gathering = undefined;
      if (!options.signal.aborted) options.onChange();
    }, GATHER_MS);
  };
  await Promise.all(options.sources.map((source) => watchSource(source, options, gather)));
}

async function watchSource(source: EventSource, options: WatchOptions, onChange: () => void): Promise<void> {
  const { clock, signal } = options;
  while (!signal.aborted) {
    const lost = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => lost.resolve(), { once: true });
    const open = () => NetlinkEvents.open({ ...options, source, onChange, onLost: () => lost.resolve() });
    const onFailure = (error: unknown) => options.onFailure(asError(error));
    await using _events = await retryUntilDone(open, { backoff: REOPEN, clock, signal, onFailure });
    onChange();
    await lost.promise;
  }
}
