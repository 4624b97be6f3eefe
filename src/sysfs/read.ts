/** Reading a tree whose entries come and go: what vanished, or what a driver does not implement, is `undefined`. */

import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";

/** The entry is gone (ENOENT, ENODEV, ENXIO, ENOTDIR), or its driver does not tell (EOPNOTSUPP, EINVAL, EIO, EPERM …). */
const ABSENT: ReadonlySet<string> = new Set([
  "ENOENT",
  "ENODEV",
  "ENXIO",
  "ENOTDIR",
  "EOPNOTSUPP",
  "ENOTSUP",
  "EINVAL",
  "EIO",
  "EPERM",
  "EACCES",
]);

/** Text of a file without the newline at its end. */
export function readText(path: string): string | undefined {
  return unlessAbsent(() => readFileSync(path, "utf8").trimEnd());
}

/** A decimal number; `undefined` also when the file holds something else. */
export function readNumber(path: string): number | undefined {
  const text = readText(path);
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** Names in a directory, sorted; none when it does not exist. */
export function listNames(path: string): readonly string[] {
  return unlessAbsent(() => readdirSync(path).sort()) ?? [];
}

export function readLinkTarget(path: string): string | undefined {
  return unlessAbsent(() => readlinkSync(path));
}

export function resolvePath(path: string): string | undefined {
  return unlessAbsent(() => realpathSync(path));
}

function unlessAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error && ABSENT.has(String(error.code))) return undefined;
    throw error;
  }
}
