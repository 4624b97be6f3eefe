/** The text of a file → its YAML documents (JSON is one), each with the lines of its values. */

import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import { formatPath } from "./zod-problems.ts";

export type Path = readonly PropertyKey[];

export interface YamlDocument {
  readonly value: unknown;
  /** Keys that are given twice. */
  readonly duplicates: readonly Path[];
  /** From 1: of the key or item at `path`, or of the nearest thing around it that is there. */
  lineOf(path: Path): number;
}

export interface BrokenYaml {
  readonly line: number;
  readonly problem: string;
}

/** More references than a hand-written file has, few enough to keep a file from growing without bounds. */
const MAX_ALIASES = 100;

/** Documents without content are left out. A broken document is reported; those before it are still there. */
export function readYaml(text: string): {
  readonly documents: readonly YamlDocument[];
  readonly broken: readonly BrokenYaml[];
} {
  const counter = new LineCounter();
  const options = { lineCounter: counter, prettyErrors: false, uniqueKeys: false, strict: true, merge: true } as const;
  const parsed = parseAllDocuments(text, options);
  const lineAt = (offset: number) => counter.linePos(offset).line;
  const documents: YamlDocument[] = [];
  const broken: BrokenYaml[] = [];
  for (const document of Array.isArray(parsed) ? parsed : []) {
    const [error] = document.errors;
    if (error !== undefined) broken.push({ line: lineAt(error.pos[0]), problem: error.message });
    else if (document.contents !== null && !(isScalar(document.contents) && document.contents.value === null)) {
      const read = readDocument(document, lineAt);
      if ("problem" in read) broken.push(read);
      else documents.push(read);
    }
  }
  return { documents, broken };
}

function readDocument(document: Document, lineAt: (offset: number) => number): YamlDocument | BrokenYaml {
  const start = lineAt(document.contents?.range?.[0] ?? 0);
  const lines = new Map<string, number>();
  const duplicates: Path[] = [];
  const note = (path: Path, node: unknown) => {
    if (isNode(node) && node.range) lines.set(formatPath(path), lineAt(node.range[0]));
  };
  const walk = (node: Node | unknown, path: Path): void => {
    if (isMap(node)) {
      const seen = new Set<string>();
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : String(key);
        const at = [...path, name];
        if (seen.has(name)) duplicates.push(at);
        seen.add(name);
        note(at, key);
        walk(value, at);
      }
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        note([...path, index], item);
        walk(item, [...path, index]);
      }
    }
  };
  walk(document.contents, []);
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    return { value, duplicates, lineOf: (path) => lineNear(lines, path) ?? start };
  } catch (error) {
    return { line: start, problem: error instanceof Error ? error.message : String(error) };
  }
}

function lineNear(lines: ReadonlyMap<string, number>, path: Path): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const line = lines.get(formatPath(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return undefined;
}
