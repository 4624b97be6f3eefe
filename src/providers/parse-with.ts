import type { z } from "zod";

/** A parser of answers by a schema; what is wrong is one sentence, which an event can carry. */
export function parseWith<S extends z.ZodType>(schema: S): (value: unknown) => z.output<S> {
  return (value) => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const problems = parsed.error.issues
      .slice(0, 5)
      .map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
    throw new Error(problems.join("; "));
  };
}
