import type { z } from "zod";
import { always } from "./fields.ts";

/** What several fields of one object ask of each other. `path` is the one to change. */
export interface FieldRule<T> {
  readonly path: string;
  readonly holds: (value: T) => boolean;
  readonly error: string;
}

/** The schema with all these rules; each runs whatever the fields' own problems, so that all are reported. */
export function refineAll<S extends z.ZodType>(schema: S, rules: readonly FieldRule<z.output<S>>[]): S {
  return rules.reduce<S>(
    (refined, { path, holds, error }) => refined.refine(holds, { path: [path], when: always, error }) as S,
    schema,
  );
}
