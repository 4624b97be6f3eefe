/** A Go that is new enough: the machine's own, or Debian's, unpacked and not installed. */
import { existsSync, mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { debianPackages } from "../runtime/packages.ts";
import { CLUSTER_CACHE } from "./cache.ts";
import { compareVersions } from "./go-module.ts";
import { run } from "./run.ts";

export interface GoCommand {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `1.26.8`. */
  readonly version: string;
}

/**
 * The toolchain never fetches another one for itself, and everything is built without a C compiler: the programs then
 * run on any Linux of their architecture.
 */
const ENV = { GOTOOLCHAIN: "local", GOWORK: "off", GOFLAGS: "-mod=readonly", CGO_ENABLED: "0" };

/** A Go not older than `least` (`1.26.0`). */
export async function goCommand(least: string): Promise<GoCommand> {
  const own = Bun.which("go");
  if (own !== null) {
    const version = await goVersion(own, {});
    if (compareVersions(version, least) >= 0) return { argv: [own], env: ENV, version };
  }
  return await debianGo(least);
}

/** Debian ships the programs and the sources of a Go release as two packages; a Go root of links puts them together. */
async function debianGo(least: string): Promise<GoCommand> {
  const minor = least.split(".").slice(0, 2).join(".");
  const [programs, sources] = [`golang-${minor}-go`, `golang-${minor}-src`];
  const packages = await debianPackages("sid", [programs, sources]);
  const parts = packages[programs];
  const shared = packages[sources];
  if (parts === undefined || shared === undefined) throw new Error(`Debian's sid has no ${programs}`);
  const root = join(CLUSTER_CACHE, `go-${parts.version.replaceAll(/[^\w.+-]/g, "_")}`);
  if (!existsSync(root)) {
    const unfinished = `${root}.${process.pid}`;
    mkdirSync(unfinished, { recursive: true });
    const links = {
      bin: join(parts.root, `usr/lib/go-${minor}/bin`),
      VERSION: join(parts.root, `usr/lib/go-${minor}/VERSION`),
      "go.env": join(parts.root, `usr/lib/go-${minor}/go.env`),
      pkg: join(parts.root, `usr/lib/go-${minor}/pkg`),
      src: join(shared.root, `usr/share/go-${minor}/src`),
    };
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(unfinished, name));
    renameSync(unfinished, root);
  }
  const go = join(root, "bin/go");
  const version = await goVersion(go, { GOROOT: root });
  if (compareVersions(version, least) < 0) {
    throw new Error(`This needs Go ${least} or newer; Debian's sid has ${version} and this machine has none as new.`);
  }
  return { argv: [go], env: { ...ENV, GOROOT: root }, version };
}

async function goVersion(go: string, env: Readonly<Record<string, string>>): Promise<string> {
  const answer = await run([go, "env", "GOVERSION"], { env: { ...ENV, ...env }, limitMs: 20_000 });
  return answer.trim().replace(/^go/, "");
}
