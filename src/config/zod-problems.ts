/** What zod found wrong → one problem each, in the reader's words: `routes[2].gateway: is required`. */

import type { z } from "zod";

export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** The first problem of each field. `unknownKey` says what is wrong with a key that the schema does not have. */
export function problemsOf(
  error: z.ZodError,
  value: unknown,
  unknownKey: (path: readonly PropertyKey[], key: string) => string,
): Problem[] {
  const problems = error.issues.flatMap((issue): Problem[] => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ path: [...issue.path, key], text: unknownKey(issue.path, key) }));
    }
    return [{ path: issue.path, text: sentence(issue, valueAt(value, issue.path)) }];
  });
  // A field may be refused by its type and, for the same reason, by a check that looks at several fields.
  return [
    ...new Map(problems.toReversed().map((problem) => [formatPath(problem.path), problem])).values(),
  ].toReversed();
}

/** `routes[2].gateway`; a key that would be misread is quoted: `ethtool.features["a.b"]`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    if (text !== "" && !/^[^\s.[\]"]+$/.test(String(key))) return `${text}[${JSON.stringify(String(key))}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

function sentence(issue: z.core.$ZodIssue, given: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return given === undefined || given === null
        ? "is required"
        : `must be ${article(issue.expected)}, not ${kindOf(given)}`;
    case "invalid_value":
      return given === undefined
        ? "is required"
        : `${JSON.stringify(given)} is not one of ${issue.values.map(String).join(", ")}`;
    case "invalid_key":
      return issue.issues.map(({ message }) => message).join(", ");
    default:
      return issue.message;
  }
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined),
    value,
  );
}

function kindOf(value: unknown): string {
  return value === null ? "null" : article(Array.isArray(value) ? "array" : typeof value);
}

function article(kind: string): string {
  const word = kind === "array" ? "list" : kind === "string" ? "text" : kind === "record" ? "object" : kind;
  if (word === "text") return word;
  return /^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`;
}
