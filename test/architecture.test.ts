/** Holds docs/architecture.md against the code. A failure names the file, what it imports, and why that is not done. */

import { expect, test } from "bun:test";
import { dirname, join, normalize } from "node:path";

const PROJECT = join(import.meta.dir, "..");
const MAX_LINES = 400;

/** Each row may import the rows above it and itself; folders of one row do not import each other. */
const ROWS: readonly (readonly string[])[] = [
  ["ffi"],
  ["src/lib"],
  ["src/proto"],
  ["src/netlink", "src/sysfs"],
  ["src/rdma"], // RDMA links are found in sysfs too, where the kernel has no NETLINK_RDMA
  ["src/ttrpc", "src/grpc", "src/kube/client", "src/dhcp"],
  ["src/config"],
  ["src/inventory"],
  ["src/kernel"],
  ["src/claims"],
  ["src/cdi"],
  ["src/attach"],
  ["src/dra", "src/nri", "src/kube", "src/providers", "src/http", "src/standalone"],
  ["src/demo"], // plays the other end of NRI, with the same multiplexer
  ["src/agent"], // the composition root: agent.ts, agent/ and the other files that stand in src/ itself
  ["src/cli"],
  ["src/main"],
];

/** Where a package may be imported; a package that is not named here may be imported anywhere in src/. */
const PACKAGES: Readonly<Record<string, { readonly only: readonly string[]; readonly why: string }>> = {
  "bun:ffi": { only: ["ffi"], why: "pointers stay in ffi/; export a value or a Disposable from there" },
  "bun:sqlite": { only: ["src/claims"], why: "the store is the only owner of the database" },
  hono: { only: ["src/http"], why: "the HTTP edge is one folder" },
  "prom-client": { only: ["src/lib"], why: "callers use the methods of Metrics, so that labels are written once" },
  "@grpc/grpc-js": { only: ["src/grpc", "src/dra"], why: "gRPC is a transport; use the adapters of src/grpc" },
  "@kubernetes/client-node": { only: ["src/kube"], why: "it costs memory, and its own transport ignores TLS options" },
};

/** Code (comments removed) that must not occur in these folders. */
const FORBIDDEN: readonly { readonly in: RegExp; readonly code: RegExp; readonly why: string }[] = [
  {
    in: /^src\/(?!cli\/|main\.ts)/,
    code: /\bprocess\.exit\(/,
    why: "only src/cli and src/main.ts end the process; throw, and let the owners dispose what they hold",
  },
  {
    in: /^(src|ffi)\//,
    code: /\/proc\/(self\/)?net\b/,
    why: "/proc/net follows the process and not the thread that entered a namespace; use /proc/thread-self/net",
  },
  {
    in: /^src\/(kernel|netlink)\//,
    code: /["'`]\/sys\//,
    why: "a mounted sysfs shows the namespace that mounted it; take the root as a parameter",
  },
];

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Paths from the project's root, of types too, or package names. */
  readonly imports: readonly string[];
}

const transpiler = new Bun.Transpiler({ loader: "ts" });
const files = await readFiles();
const product = files.filter((file) => /^(src|ffi)\//.test(file.path) && !isTest(file.path));

test("every folder is in the table, and imports only the rows above its own", () => {
  const broken = product.flatMap(({ path, imports }) => {
    const from = placeOf(path);
    if (from === undefined) return [`${path} is in no row of the table`];
    return imports.filter(isLocal).flatMap((imported) => {
      const to = placeOf(imported);
      if (to === undefined) return [`${path} imports ${imported}, which is in no row of the table`];
      if (to.row < from.row || to.folder === from.folder) return [];
      const why = to.row === from.row ? "sideways; declare the interface that you need" : "which stands below it";
      return [`${path} (${from.folder}) imports ${imported} (${to.folder}), ${why}`];
    });
  });
  expect(broken).toEqual([]);
});

test("packages are imported only where the table allows", () => {
  const broken = files.flatMap(({ path, imports }) =>
    imports.flatMap((imported) => {
      const rule = PACKAGES[packageOf(imported)];
      const free = rule === undefined || !path.startsWith("src/");
      if (free || rule.only.some((folder) => path.startsWith(`${folder}/`))) return [];
      return [`${path} imports ${imported}: ${rule.why}`];
    }),
  );
  expect(broken).toEqual([]);
});

test("no code does what a rule forbids", () => {
  const broken = product.flatMap(({ path, text }) =>
    FORBIDDEN.filter((rule) => rule.in.test(path) && rule.code.test(transpiler.transformSync(text))).map(
      (rule) => `${path} contains ${rule.code}: ${rule.why}`,
    ),
  );
  expect(broken).toEqual([]);
});

test("imports have no cycle", () => {
  expect(findCycle(new Map(files.map((file) => [file.path, file.imports.filter(isLocal)])))).toBeUndefined();
});

test(`no file is longer than ${MAX_LINES} lines`, () => {
  const long = files.filter((file) => file.text.split("\n").length > MAX_LINES + 1);
  expect(long.map((file) => file.path)).toEqual([]);
});

test("localImports() sees imports of types, on one line and on several, and what is exported again", () => {
  const text = `import type { A } from "./a.ts";\nimport {\n  type B,\n} from "../b.ts";\nexport type { C } from "./c.ts";\nimport d from "d";\n`;
  expect(localImports(text)).toEqual(["./a.ts", "../b.ts", "./c.ts"]);
});

test("findCycle() finds a cycle when there is one", () => {
  const cyclic = new Map([
    ["a", ["b", "d"]],
    ["b", ["c"]],
    ["c", ["b"]],
    ["d", []],
  ]);
  expect(findCycle(cyclic)).toEqual(["b", "c", "b"]);
});

async function readFiles(): Promise<SourceFile[]> {
  const paths = [...new Bun.Glob("{src,ffi,test,deploy}/**/*.ts").scanSync(PROJECT)].sort();
  const own = paths.filter((path) => !/\/(gen|fixtures|node_modules)\/|\.d\.ts$/.test(path));
  return Promise.all(
    own.map(async (path) => {
      const text = await Bun.file(join(PROJECT, path)).text();
      const atRunTime = transpiler.scanImports(text).map((found) => found.path);
      const imports = [...new Set([...atRunTime, ...localImports(text)])].map((found) => resolveImport(path, found));
      return { path, text, imports };
    }),
  );
}

/** The transpiler tells of no import of types alone. */
function localImports(text: string): readonly string[] {
  return [...text.matchAll(/ from "(\.{1,2}\/[^"]+)";$/gm)].map(([, path = ""]) => path);
}

function resolveImport(importer: string, imported: string): string {
  return imported.startsWith(".") ? normalize(join(dirname(importer), imported)) : imported;
}

function isLocal(imported: string): boolean {
  return /^(src|ffi|test|deploy)\//.test(imported);
}

function isTest(path: string): boolean {
  return path.endsWith(".test.ts");
}

function placeOf(path: string): { readonly row: number; readonly folder: string } | undefined {
  const candidates = ROWS.flatMap((folders, row) => folders.map((folder) => ({ row, folder })));
  const matching = candidates.filter(({ folder }) => path.startsWith(`${folder}/`) || path.startsWith(`${folder}.`));
  const longest = matching.sort((a, b) => b.folder.length - a.folder.length)[0];
  if (longest !== undefined) return longest;
  const root = candidates.find(({ folder }) => folder === "src/agent");
  return /^src\/[^/]+\.ts$/.test(path) ? root : undefined;
}

function packageOf(imported: string): string {
  return imported.startsWith("@") ? imported.split("/", 2).join("/") : (imported.split("/", 1)[0] ?? imported);
}

function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (node: string, trail: readonly string[]): string[] | undefined => {
    const seenAt = trail.indexOf(node);
    if (seenAt >= 0) return [...trail.slice(seenAt), node];
    if (done.has(node)) return undefined;
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...trail, node]);
      if (cycle !== undefined) return cycle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
