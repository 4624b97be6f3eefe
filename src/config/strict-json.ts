/** JSON (RFC 8259) that refuses a key given twice, since nobody can know which of the two was meant. */

import { ConfigError } from "../lib/errors.ts";

/** Deeper than any configuration, shallow enough for the stack. */
const MAX_DEPTH = 64;
const NUMBER = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const SPACE = /[ \t\n\r]*/y;
const LITERALS: Readonly<Record<string, unknown>> = { true: true, false: false, null: null };

/** Throws a ConfigError whose path names the place: `config.routes[2].table`. `where` names the whole text. */
export function parseStrictJson(text: string, where: string): unknown {
  let at = 0;

  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const fail = (path: string, problem: string): never => {
    throw new ConfigError(path, problem);
  };
  const unexpected = (path: string): never =>
    fail(
      path,
      at >= text.length
        ? "ends too early"
        : `unexpected ${JSON.stringify(text.slice(at, at + 10))} at character ${at + 1}`,
    );
  const take = (token: string): boolean => {
    match(SPACE);
    if (!text.startsWith(token, at)) return false;
    at += token.length;
    return true;
  };

  const readString = (path: string): string => {
    match(SPACE);
    const quoted = match(STRING) ?? unexpected(path);
    try {
      return JSON.parse(quoted) as string;
    } catch (cause) {
      throw new ConfigError(path, `${quoted} is not a valid string`, { cause });
    }
  };

  const readObject = (path: string, depth: number): Record<string, unknown> => {
    const object: Record<string, unknown> = {};
    if (take("}")) return object;
    do {
      const key = readString(path);
      const inner = path === "" ? key : `${path}.${key}`;
      // As an own property it would be harmless here, and a trap for whoever copies the object.
      if (key === "__proto__") fail(inner, "is not a possible key");
      if (Object.hasOwn(object, key)) fail(inner, "is given twice");
      if (!take(":")) unexpected(inner);
      object[key] = readValue(inner, depth + 1);
    } while (take(","));
    return take("}") ? object : unexpected(path);
  };

  const readArray = (path: string, depth: number): unknown[] => {
    const items: unknown[] = [];
    if (take("]")) return items;
    do items.push(readValue(`${path}[${items.length}]`, depth + 1));
    while (take(","));
    return take("]") ? items : unexpected(path);
  };

  const readValue = (path: string, depth: number): unknown => {
    if (depth > MAX_DEPTH) fail(path, `is nested deeper than ${MAX_DEPTH} levels`);
    if (take("{")) return readObject(path, depth);
    if (take("[")) return readArray(path, depth);
    if (text[at] === '"') return readString(path);
    for (const [word, value] of Object.entries(LITERALS)) if (take(word)) return value;
    return Number(match(NUMBER) ?? unexpected(path));
  };

  const value = readValue(where, 0);
  match(SPACE);
  if (at < text.length) unexpected(where);
  return value;
}
