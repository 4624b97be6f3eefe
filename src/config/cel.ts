/**
 * CEL (cel.dev) by @bufbuild/cel, which evaluates but does not type-check: names are checked here, before the first
 * evaluation, so that what cannot be evaluated is refused by name and never answered wrongly.
 * The library costs megabytes once loaded, so it is imported on first use.
 */

import type { CelFunc, CelInput } from "@bufbuild/cel";
import type { Registry } from "@bufbuild/protobuf";
import { ConfigError, describeError } from "../lib/errors.ts";
import { type Expr, expandBindings, nameProblems, type Overloads, type Variables } from "./cel-names.ts";

export type CelModule = typeof import("@bufbuild/cel");

export type Outcome = { readonly value: unknown } | { readonly error: string };
export type Program = (bindings: Readonly<Record<string, CelInput>>) => Outcome;

export interface CelEnvironment {
  readonly variables: Variables;
  /** Beside the standard ones and the library of strings. */
  readonly functions?: readonly CelFunc[];
  /** Message types that those functions and the bindings use. */
  readonly registry?: Registry;
}

/** The expression may well be right, but holds what only the API server's CEL knows. */
export class UnknownToUsError extends ConfigError {}

export interface Compiler {
  readonly cel: CelModule;
  /** Throws a ConfigError, an UnknownToUsError where nothing else is wrong; `where` names the expression. */
  compile(source: string, where: string): Program;
}

/** The API server's limit for selectors; nobody writes longer filters by hand. */
const MAX_SOURCE_BYTES = 10 * 1024;

export async function loadCel(environment: (cel: CelModule) => CelEnvironment): Promise<Compiler> {
  const [cel, { strings }] = await Promise.all([import("@bufbuild/cel"), import("@bufbuild/cel/ext")]);
  const { variables, functions = [], registry } = environment(cel);
  const env = cel.celEnv({ funcs: [...strings, ...functions], ...(registry && { registry }) });
  const overloads = overloadsOf(env.funcs);
  return {
    cel,
    compile(source, where) {
      if (Buffer.byteLength(source) > MAX_SOURCE_BYTES)
        throw new ConfigError(where, `is longer than ${MAX_SOURCE_BYTES} bytes`);
      const parsed = parse(cel, source, where);
      expandBindings(parsed.expr);
      const { wrong, unknown } = nameProblems(parsed.expr, variables, overloads);
      if (wrong.length > 0) throw new ConfigError(where, [...wrong, ...unknown].join("; "));
      if (unknown.length > 0) throw new UnknownToUsError(where, unknown.join("; "));
      const evaluate = cel.plan(env, parsed);
      return (bindings) => {
        const result: unknown = evaluate(bindings);
        return cel.isCelError(result) ? { error: result.message } : { value: result };
      };
    },
  };
}

function parse(
  cel: CelModule,
  source: string,
  where: string,
): ReturnType<CelModule["parse"]> & { readonly expr: Expr } {
  try {
    return cel.parse(source);
  } catch (cause) {
    const bare = source.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""');
    const optional = /\.\?|\[\?/.exec(bare)?.[0];
    if (optional === undefined)
      throw new ConfigError(where, `is not a CEL expression: ${describeError(cause)}`, { cause });
    throw new UnknownToUsError(where, `"${optional}" needs the scheduler, netferry cannot evaluate it`, { cause });
  }
}

function overloadsOf(functions: Iterable<CelFunc>): Overloads {
  const overloads = new Map<string, { arity: number; isMethod: boolean }[]>();
  for (const { name, target, arguments: args } of functions) {
    overloads.set(name, [...(overloads.get(name) ?? []), { arity: args.length, isMethod: target !== undefined }]);
  }
  return overloads;
}
