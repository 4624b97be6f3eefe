/** Builds the programs of a Go module into the cache, each once. */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { basename, join } from "node:path";
import { CLUSTER_CACHE } from "./cache.ts";
import { type GoCommand, goCommand } from "./go-toolchain.ts";
import type { GoModule } from "./modules.ts";
import { run } from "./run.ts";

/** What one build took; kept beside the program. */
export interface BuildRecord {
  readonly program: string;
  readonly version: string;
  readonly seconds: number;
  readonly bytes: number;
  readonly go: string;
  readonly cpus: number;
}

export interface Build {
  readonly version: string;
  /** The folder of the programs. */
  readonly bin: string;
  readonly records: readonly BuildRecord[];
}

/** The API server alone takes four minutes on two busy processors when Go's own cache is empty. */
const LIMIT_MS = 60 * 60_000;

/** `say` hears a line for each program that has to be built. */
export async function build(module: GoModule, say: (line: string) => void): Promise<Build> {
  const bin = binOf(module);
  mkdirSync(bin, { recursive: true });
  const missing = missingOf(module);
  if (missing.length > 0) {
    const go = await goCommand(module.go);
    for (const program of missing) await buildProgram({ module, program, bin, go, say });
  }
  const records = Object.keys(module.programs).map((program) => readRecord(join(bin, program)));
  return { version: module.version, bin, records };
}

/** Are all its programs in the cache? */
export function isBuilt(module: GoModule): boolean {
  return missingOf(module).length === 0;
}

/** Where a program of the module is, or will be. */
export function programPath(module: GoModule, program: string): string {
  return join(binOf(module), program);
}

function missingOf(module: GoModule): string[] {
  return Object.keys(module.programs).filter((program) => !existsSync(join(binOf(module), program)));
}

function binOf(module: GoModule): string {
  return join(CLUSTER_CACHE, `${basename(module.dir)}-${module.version}-${keyOf(module)}`);
}

interface ProgramBuild {
  readonly module: GoModule;
  readonly program: string;
  readonly bin: string;
  readonly go: GoCommand;
  readonly say: (line: string) => void;
}

async function buildProgram({ module, program, bin, go, say }: ProgramBuild): Promise<void> {
  say(`building ${program} ${module.version} with Go ${go.version}; with empty caches this takes minutes`);
  const stamps = Object.entries(module.stamps).map(([name, value]) => `-X ${name}=${value}`);
  const flags = ["-trimpath", "-buildvcs=false", "-ldflags", ["-s -w", ...stamps].join(" ")];
  const path = join(bin, program);
  const unfinished = `${path}.${process.pid}`;
  const startMs = performance.now();
  const argv = ["nice", "-n", "10", ...go.argv, "build", ...flags, "-o", unfinished, module.programs[program] ?? ""];
  await run(argv, { cwd: module.dir, env: go.env, limitMs: LIMIT_MS });
  const seconds = Math.round(performance.now() - startMs) / 1000;
  const bytes = statSync(unfinished).size;
  const record: BuildRecord = {
    program,
    version: module.version,
    seconds,
    bytes,
    go: go.version,
    cpus: cpus().length,
  };
  writeFileSync(`${path}.json`, `${JSON.stringify(record)}\n`);
  renameSync(unfinished, path); // the record stands first: a program in its place is complete
  say(`built ${program} in ${seconds.toFixed(1)} s, ${(bytes / 1e6).toFixed(1)} MB`);
}

function readRecord(program: string): BuildRecord {
  return JSON.parse(readFileSync(`${program}.json`, "utf8")) as BuildRecord;
}

/** Another `go.mod`, `go.sum` or stamp gives another folder. */
function keyOf(module: GoModule): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(module.dir, file)));
  hash.update(JSON.stringify(module.stamps));
  return hash.digest("hex").slice(0, 12);
}
