/** Durations as Go's time.ParseDuration reads them: `2s`, `1m30s`, `500ms`, `1.5h`. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5 MICRO SIGN
  μs: 1e-3, // U+03BC GREEK SMALL LETTER MU
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/** Milliseconds, or `undefined` where the text is no duration. Negative durations are none. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  let total = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const part = PART.exec(text);
    const unit = UNIT_MS[part?.[2] ?? ""];
    if (part === null || unit === undefined) return undefined;
    total += Number(part[1]) * unit;
  }
  return text === "" || !Number.isFinite(total) ? undefined : total;
}
