/** Which reports become events: repetitions are counted, and no object may flood its readers. Pure but for its memory. */

export interface EventReport {
  readonly object: EventObject;
  /** CamelCase: `NetworkDeviceAttachFailed`. */
  readonly reason: string;
  readonly message: string;
}

export interface EventObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** One event: all reports of the same object, reason and message. */
export interface EventSeries extends EventReport {
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** A repetition is written this often at the most; those between are in the count of the next. */
export const REPEAT_INTERVAL_MS = 60_000;
/** The API server forgets an event after an hour: then it is a new one. */
export const SERIES_LIFE_MS = 55 * 60_000;
/** New events of one object: ten at once, then one a minute. */
export const BURST = 10;
export const REFILL_MS = 60_000;
const MAX_REMEMBERED = 512;

interface Memory {
  series: EventSeries;
  admittedMs: number;
}

export class EventLimits {
  readonly #series = new Map<string, Memory>();
  /** By object: when its budget will be full again. */
  readonly #fullAgainMs = new Map<string, number>();

  /** The series to write now, or `undefined` where the report is only counted, or too much. */
  admit(report: EventReport, nowMs: number): EventSeries | undefined {
    const key = seriesKey(report);
    const known = this.#series.get(key);
    if (known !== undefined && nowMs - known.series.lastMs < SERIES_LIFE_MS) {
      known.series = { ...known.series, count: known.series.count + 1, lastMs: nowMs };
      if (nowMs - known.admittedMs < REPEAT_INTERVAL_MS) return undefined;
      known.admittedMs = nowMs;
      return known.series;
    }
    if (!this.#takeFromBudget(report.object.uid, nowMs)) return undefined;
    const series: EventSeries = { ...report, count: 1, firstMs: nowMs, lastMs: nowMs };
    remember(this.#series, key, { series, admittedMs: nowMs });
    return series;
  }

  #takeFromBudget(uid: string, nowMs: number): boolean {
    const fullAgainMs = Math.max(nowMs, this.#fullAgainMs.get(uid) ?? 0) + REFILL_MS;
    if (fullAgainMs - nowMs > BURST * REFILL_MS) return false;
    remember(this.#fullAgainMs, uid, fullAgainMs);
    return true;
  }
}

export function seriesKey({ object, reason, message }: EventReport): string {
  return JSON.stringify([object.uid, reason, message]);
}

/** The oldest makes room. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  const [oldest] = map.keys();
  if (oldest !== undefined && map.size >= MAX_REMEMBERED) map.delete(oldest);
  map.set(key, value);
}
