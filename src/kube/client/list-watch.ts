/** Keeps a picture of some objects up to date, for ever: list, then watch; resume after a cut, list again after 410. */

import type { Clock } from "../../lib/clock.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { type Backoff, backoffDelayMs } from "../../lib/retry.ts";
import type { Query } from "./http.ts";
import type { KubeClient, WatchEvent } from "./kube-client.ts";
import { isExpired, KubeError } from "./kube-error.ts";
import type { KubeList, KubeObject } from "./wire.ts";

export const LIST_WATCH_BACKOFF: Backoff = { firstMs: 800, limitMs: 30_000, jitter: 0.5 };

export type Change<T> = Exclude<WatchEvent<T>, { readonly type: "BOOKMARK" }>;

export interface ListWatchOptions<T> {
  readonly client: Pick<KubeClient, "list" | "watch">;
  readonly path: string;
  readonly query?: Query;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly backoff?: Backoff;
  /** The whole picture; what is not in it is gone. */
  readonly onList: (list: KubeList<T>) => void;
  readonly onChange: (change: Change<T>) => void;
  /** Each failure of the server or the way to it, with the delay before the next try. Logging it is the caller's. */
  readonly onFailure: (error: Error, delayMs: number) => void;
}

/** Returns once `signal` aborts. Errors of the callbacks pass through. */
export async function listAndWatch<T extends KubeObject>(options: ListWatchOptions<T>): Promise<void> {
  const { signal, clock } = options;
  const backoff = options.backoff ?? LIST_WATCH_BACKOFF;
  /** Where to resume; "" means that only a new list helps. */
  const position = { resourceVersion: "", attempt: 0 };
  while (!signal.aborted) {
    let failure: Error | undefined;
    try {
      await follow(options, position);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof KubeError) && !(error instanceof ProtocolError)) throw error;
      if (isExpired(error)) position.resourceVersion = "";
      failure = error;
    }
    // Also after a clean end: a server that ends each watch at once must not make us spin.
    const delayMs = backoffDelayMs(backoff, position.attempt++);
    if (failure !== undefined && !isExpired(failure)) options.onFailure(failure, delayMs);
    if (!(await slept(clock, delayMs, signal))) return;
  }
}

/** One list, if needed, and one watch. */
async function follow<T extends KubeObject>(
  options: ListWatchOptions<T>,
  position: { resourceVersion: string; attempt: number },
): Promise<void> {
  const { client, path, signal } = options;
  const query = options.query === undefined ? {} : { query: options.query };
  if (position.resourceVersion === "") {
    const list = await client.list<T>(path, { ...query, signal });
    options.onList(list);
    position.resourceVersion = list.resourceVersion;
  }
  const { resourceVersion } = position;
  for await (const event of client.watch<T>(path, { ...query, signal, resourceVersion })) {
    position.resourceVersion = event.object.metadata?.resourceVersion ?? position.resourceVersion;
    position.attempt = 0;
    if (event.type !== "BOOKMARK") options.onChange(event);
  }
}

async function slept(clock: Clock, delayMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(delayMs, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
