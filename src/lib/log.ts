/** JSON lines: a constant sentence as `message`, the facts as fields, so that one grep follows a claim. */

export type Level = "debug" | "info" | "warn" | "error";
export type Fields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: Fields): Logger;
}

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogOptions {
  readonly level: Level;
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

export function createLogger(options: LogOptions, bound: Fields = {}): Logger {
  const now = options.now ?? (() => new Date());
  const at =
    (level: Level) =>
    (message: string, fields: Fields = {}) => {
      if (RANK[level] < RANK[options.level]) return;
      const line = { time: now().toISOString(), level, message, ...bound, ...fields };
      options.write(`${JSON.stringify(line, plain)}\n`);
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => createLogger(options, { ...bound, ...fields }),
  };
}

/** A logger for tests and tools that do not want lines. */
export const silentLogger: Logger = createLogger({ level: "error", write: () => undefined });

/** Errors with their own fields and causes, big integers as text. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, cause } = value;
  return { ...value, name, message, ...(cause === undefined ? {} : { cause }) };
}
