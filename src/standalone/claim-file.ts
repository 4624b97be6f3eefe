/** The text of one YAML file → the claims and classes in it, and what is wrong with the rest. */

import { type Document, isNode, isScalar, LineCounter, parseAllDocuments } from "yaml";
import type { z } from "zod";
import { suggestion } from "../config/nearest.ts";
import { formatPath, problemsOf } from "../config/zod-problems.ts";
import { claimSchema, classSchema, type DeviceClass, type ResourceClaim, toClaim, toClass } from "./objects.ts";

/** What a reader of the log needs to mend a file. */
export interface FileProblem {
  readonly file: string;
  /** From 1; 0 where the file as a whole is meant. */
  readonly line: number;
  readonly reason: string;
}

export interface ClaimFiles {
  readonly claims: readonly ResourceClaim[];
  readonly classes: readonly DeviceClass[];
  readonly problems: readonly FileProblem[];
}

/** More references than a hand-written file has, few enough to keep a file from growing without bounds. */
const MAX_ALIASES = 100;

/**
 * A file whose YAML is broken gives one problem and nothing else, since nobody knows where its documents end; a
 * document that is no valid object gives one problem and leaves the others alone.
 */
export function readClaimFile(file: string, text: string): ClaimFiles {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, strict: true });
  const documents = Array.isArray(parsed) ? parsed : [];
  const lineAt = (offset: number) => lines.linePos(offset).line;
  for (const document of documents) {
    const [broken] = [...document.errors, ...document.warnings];
    if (broken) return only({ file, line: lineAt(broken.pos[0]), reason: broken.message });
  }
  const claims: ResourceClaim[] = [];
  const classes: DeviceClass[] = [];
  const problems: FileProblem[] = [];
  for (const document of documents) {
    const { contents } = document;
    if (contents === null || (isScalar(contents) && contents.value === null)) continue;
    const start = lineAt(contents.range?.[0] ?? 0);
    const object = readObject(document);
    if ("claim" in object) claims.push(object.claim);
    else if ("class" in object) classes.push(object.class);
    else problems.push({ file, line: lineOf(document, object.path, lineAt) ?? start, reason: object.reason });
  }
  return { claims, classes, problems };
}

function only(problem: FileProblem): ClaimFiles {
  return { claims: [], classes: [], problems: [problem] };
}

type ReadObject =
  | { readonly claim: ResourceClaim }
  | { readonly class: DeviceClass }
  | { readonly reason: string; readonly path: readonly PropertyKey[] };

function readObject(document: Document): ReadObject {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error), path: [] };
  }
  const kind: unknown = typeof value === "object" && value !== null ? Reflect.get(value, "kind") : undefined;
  if (kind === "ResourceClaim") return check(claimSchema, value, (object) => ({ claim: toClaim(object) }));
  if (kind === "DeviceClass") return check(classSchema, value, (object) => ({ class: toClass(object) }));
  return {
    reason: `kind: ${JSON.stringify(kind) ?? "nothing"} is neither ResourceClaim nor DeviceClass`,
    path: ["kind"],
  };
}

function check<S extends z.ZodType>(schema: S, value: unknown, make: (object: z.output<S>) => ReadObject): ReadObject {
  const parsed = schema.safeParse(value);
  if (parsed.success) return make(parsed.data);
  const problems = problemsOf(parsed.error, value, (_, key) => `is not a field of this object${suggestion(key, KEYS)}`);
  return {
    reason: problems.map(({ path, text }) => `${formatPath(path) || "document"}: ${text}`).join("; "),
    path: problems[0]?.path ?? [],
  };
}

const KEYS = [
  ...["apiVersion", "kind", "metadata", "spec", "devices", "requests", "constraints", "config", "exactly"],
  ...["firstAvailable", "name", "deviceClassName", "selectors", "allocationMode", "count", "cel", "expression"],
  ...["matchAttribute", "distinctAttribute", "opaque", "driver", "parameters", "tolerations", "extendedResourceName"],
];

/** The line of the value at `path`, or of the nearest thing around it that is there. */
function lineOf(
  document: Document,
  path: readonly PropertyKey[],
  lineAt: (offset: number) => number,
): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lineAt(node.range[0]);
  }
  return undefined;
}
