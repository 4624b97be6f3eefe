/** Warnings of the driver as core/v1 events, where `kubectl describe` shows them. Nobody waits for it. */

import type { Clock } from "../lib/clock.ts";
import { ConflictError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Backoff } from "../lib/retry.ts";
import type { KubeClient } from "./client/kube-client.ts";
import { isForbidden, isNotFound, KubeError } from "./client/kube-error.ts";
import type { KubeEvent } from "./client/wire.ts";
import { EventLimits, type EventReport, type EventSeries, seriesKey } from "./event-limits.ts";
import { clampUtf8 } from "./limits.ts";
import { type Verdict, WriteQueue } from "./write-queue.ts";

export interface EventWriterOptions {
  readonly client: Pick<KubeClient, "create" | "patch">;
  /** `source.component` of the events. */
  readonly driver: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly backoff?: Backoff;
}

const BACKOFF: Backoff = { firstMs: 500, limitMs: 30_000, jitter: 0.5 };
const REQUEST_LIMIT_MS = 10_000;
/** While the API server is away. */
const MAX_WAITING = 256;
/** Older than that it would not be kept by the API server either. */
const MAX_AGE_MS = 60 * 60_000;
const MAX_MESSAGE_BYTES = 1024; // the limit of events.k8s.io, which shows the same events
const MAX_OBJECT_NAME = 200; // with the suffix, below the 253 of an object's name

export class EventWriter {
  readonly #options: EventWriterOptions;
  readonly #limits = new EventLimits();
  readonly #queue: WriteQueue<EventSeries>;
  #toldForbidden = false;

  constructor(options: EventWriterOptions) {
    this.#options = options;
    this.#queue = new WriteQueue({
      write: (series, signal) => this.#write(series, signal),
      judge,
      onFailure: (error, series, verdict, delayMs) => this.#tell(error, series, verdict, delayMs),
      clock: options.clock,
      backoff: options.backoff ?? BACKOFF,
      settleMs: 0,
      laterMs: 0,
      limit: MAX_WAITING,
    });
  }

  /** Returns at once; the same report again is counted. */
  warn(report: EventReport): void {
    const message = clampUtf8(report.message, MAX_MESSAGE_BYTES);
    const series = this.#limits.admit({ ...report, message }, this.#options.clock.nowMs());
    if (series !== undefined) this.#queue.put(seriesKey(series), series);
  }

  /** Until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#queue.run(signal);
  }

  async #write(series: EventSeries, signal: AbortSignal): Promise<void> {
    const { client, driver, nodeName, clock } = this.#options;
    if (clock.nowMs() - series.lastMs > MAX_AGE_MS) return;
    const { namespace } = series.object;
    const path = `/api/v1/namespaces/${namespace}/events`;
    const options = { signal, timeoutMs: REQUEST_LIMIT_MS };
    if (series.count > 1) {
      try {
        const body = { count: series.count, lastTimestamp: timeOf(series.lastMs) };
        await client.patch(`${path}/${eventName(series)}`, "strategic", body, options);
        return;
      } catch (error) {
        if (!isNotFound(error)) throw error; // never written, or removed by somebody
      }
    }
    await client.create<KubeEvent>(path, eventObject(series, driver, nodeName), options);
    this.#toldForbidden = false;
  }

  #tell(error: unknown, { reason, message, object }: EventSeries, verdict: Verdict, delayMs: number): void {
    const { log } = this.#options;
    const fields = { reason, object: `${object.kind} ${object.namespace}/${object.name}`, text: message, error };
    if (error instanceof ConflictError) return; // written by a try whose answer was lost
    if (isForbidden(error)) {
      if (this.#toldForbidden) return;
      this.#toldForbidden = true;
      log.warn("events may not be written: the service account needs create and patch on events", fields);
    } else if (verdict === "drop") log.warn("an event is lost, since the API server refuses it", fields);
    else log.debug("an event cannot be written, trying again", { ...fields, delayMs });
  }
}

function judge(error: unknown): Verdict {
  const noAnswer = error instanceof KubeError && (error.status === 0 || error.status === 429 || error.status >= 500);
  return noAnswer ? "retry" : "drop";
}

function eventObject(series: EventSeries, driver: string, nodeName: string): KubeEvent {
  const { object, reason, message, count, firstMs, lastMs } = series;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { namespace: object.namespace, name: eventName(series) },
    involvedObject: { ...object },
    type: "Warning",
    reason,
    message,
    source: { component: driver, host: nodeName },
    reportingComponent: driver,
    reportingInstance: nodeName,
    firstTimestamp: timeOf(firstMs),
    lastTimestamp: timeOf(lastMs),
    count,
  };
}

/** The same for each try and each repetition, so that none makes a second event. */
function eventName(series: EventSeries): string {
  const hash = Bun.hash(`${seriesKey(series)} ${series.firstMs}`)
    .toString(16)
    .padStart(16, "0");
  return `${series.object.name.slice(0, MAX_OBJECT_NAME).replace(/[-.]+$/, "")}.${hash}`;
}

/** RFC 3339 in whole seconds. */
function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
