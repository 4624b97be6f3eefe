/**
 * What an idle agent must not load: libraries that cost megabytes and milliseconds, and that only a claim, a kubeconfig
 * or a CEL expression needs. They are behind `import()` in the file that needs them.
 */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const PROJECT = join(import.meta.dir, "..");
const ON_DEMAND = /^(zod|yaml|@bufbuild\/cel|@bufbuild\/re2|@kubernetes\/client-node)(\/|$)/;
const GRPC = /^@grpc\//;

/** Chains `file < importer < ... < entry` that end in a package that `unwanted` names. */
function chainsTo(entry: string, unwanted: RegExp): string[] {
  const transpiler = new Bun.Transpiler({ loader: "ts" });
  const importers = new Map<string, string>();
  const chains: string[] = [];
  const queue = [join(PROJECT, entry)];
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    for (const { kind, path } of transpiler.scanImports(readFileSync(file, "utf8"))) {
      if (kind !== "import-statement") continue;
      if (unwanted.test(path)) chains.push(`${path} < ${chainOf(file, importers)}`);
      const target = join(dirname(file), path);
      if (!path.startsWith(".") || !path.endsWith(".ts") || importers.has(target)) continue;
      importers.set(target, file);
      queue.push(target);
    }
  }
  return chains;
}

function chainOf(file: string, importers: ReadonlyMap<string, string>): string {
  const importer = importers.get(file);
  const name = relative(PROJECT, file);
  return importer === undefined ? name : `${name} < ${chainOf(importer, importers)}`;
}

test.each(["src/main.ts", "src/cli/run.ts", "src/agent/cluster.ts", "src/agent/standalone.ts", "src/kernel/worker.ts"])(
  "%s loads nothing that only a claim needs",
  (entry) => {
    expect(chainsTo(entry, ON_DEMAND)).toEqual([]);
  },
);

test("clouds are loaded when there is one to ask, and their schemas when it has answered", () => {
  expect(chainsTo("src/cli/run.ts", /\/providers\//)).toEqual([]);
  expect(chainsTo("src/providers/providers.ts", ON_DEMAND)).toEqual([]);
  expect(chainsTo("src/providers/read-cloud.ts", ON_DEMAND)).not.toEqual([]);
});

test.each(["src/cli/run.ts", "src/agent/standalone.ts"])("%s loads no gRPC: only the kubelet speaks it", (entry) => {
  expect(chainsTo(entry, GRPC)).toEqual([]);
});

test("chainsTo() finds what a file imports by way of others", () => {
  expect(chainsTo("src/agent/cluster.ts", GRPC)).not.toEqual([]);
});
