/**
 * Debian packages, unpacked and not installed, from the mirror that this machine's own apt uses. They are kept in
 * `.cache/debian`, so that only the first start needs the network; delete that folder to get newer versions.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { command } from "./command.ts";

export type Suite = "bookworm" | "trixie" | "sid" | "experimental";

export interface Package {
  readonly version: string;
  /** The folder that stands for the root of the file system. */
  readonly root: string;
}

type Index = Record<string, Package>;

export const CACHE = join(import.meta.dir, "../../../.cache");
const DEBIAN = join(CACHE, "debian");
/** Longer than a slow mirror takes for the lists of a suite. */
const APT_LIMIT_MS = 300_000;

/** Packages are fetched one suite after the other: apt holds a lock on its lists. */
let previous: Promise<unknown> = Promise.resolve();

/** The packages of a suite, by name. Fetches those that the cache lacks. */
export function debianPackages<Name extends string>(
  suite: Suite,
  names: readonly Name[],
): Promise<Readonly<Record<Name, Package>>> {
  const result = previous.then(async () => {
    const missing = names.filter((name) => readIndex(suite)[name] === undefined);
    if (missing.length > 0) await fetchPackages(suite, missing);
    const index = readIndex(suite);
    return Object.fromEntries(names.map((name) => [name, known(index, suite, name)])) as Record<Name, Package>;
  });
  previous = result.catch(() => undefined);
  return result;
}

function known(index: Index, suite: Suite, name: string): Package {
  const found = index[name];
  if (found === undefined) throw new Error(`The package ${name} of ${suite} was fetched, and yet is not in the cache.`);
  return found;
}

/** What the cache has of a suite; an entry whose folder is gone does not count. */
function readIndex(suite: Suite): Index {
  const path = join(DEBIAN, `${suite}.json`);
  if (!existsSync(path)) return {};
  const index = JSON.parse(readFileSync(path, "utf8")) as Index;
  return Object.fromEntries(Object.entries(index).filter(([, { root }]) => existsSync(root)));
}

async function fetchPackages(suite: Suite, names: readonly string[]): Promise<void> {
  const work = join(DEBIAN, `fetch-${suite}-${process.pid}`);
  try {
    mkdirSync(join(DEBIAN, suite), { recursive: true });
    const options = await aptWorkspace([suite], work);
    await command(["apt-get", ...options, "update"], { limitMs: APT_LIMIT_MS });
    await command(["apt-get", ...options, "download", ...names], { cwd: work, limitMs: APT_LIMIT_MS });
    const found: Index = {};
    for (const path of new Bun.Glob("*.deb").scanSync({ cwd: work, absolute: true })) {
      const [name = "", version = ""] = (await command(["dpkg-deb", "-W", path])).trim().split("\t");
      const root = join(DEBIAN, suite, basename(path, ".deb"));
      const unpacking = `${root}.${process.pid}`;
      await command(["dpkg-deb", "-x", path, unpacking]);
      if (existsSync(root)) rmSync(unpacking, { recursive: true });
      else renameSync(unpacking, root);
      found[name] = { version, root };
    }
    const temporary = join(work, "index.json");
    writeFileSync(temporary, JSON.stringify({ ...readIndex(suite), ...found }, null, 2));
    renameSync(temporary, join(DEBIAN, `${suite}.json`));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** An apt of our own under `work`, which shares nothing with the machine's but keys and mirror. Returns its options. */
export async function aptWorkspace(suites: readonly string[], work: string): Promise<string[]> {
  for (const folder of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(work, folder), { recursive: true });
  writeFileSync(join(work, "status"), "");
  const mirror = await debianMirror();
  writeFileSync(join(work, "sources.list"), suites.map((suite) => `deb ${mirror} ${suite} main\n`).join(""));
  const settings = {
    "Dir::State::Lists": join(work, "lists"),
    "Dir::State::status": join(work, "status"),
    "Dir::Etc::SourceList": join(work, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::Cache": join(work, "cache"),
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
    "Acquire::Retries": "3",
  };
  return ["-qq", ...Object.entries(settings).map(([name, value]) => `-o${name}=${value}`)];
}

/** The mirror of this machine's first entry for a plain release (`bookworm`, not `bookworm-updates` or security). */
export async function debianMirror(): Promise<string> {
  const override = process.env["DEBIAN_MIRROR"];
  if (override !== undefined && override !== "") return override;
  const targets = await command([
    "apt-get",
    "indextargets",
    "--format",
    "$(REPO_URI) $(RELEASE)",
    "Created-By: Packages",
  ]);
  const plain = targets
    .split("\n")
    .map((line) => line.split(" "))
    .find(([, release = ""]) => /^[a-z]+$/.test(release));
  if (plain?.[0] === undefined) {
    throw new Error("apt of this machine names no Debian mirror; set DEBIAN_MIRROR to the URL of one");
  }
  return plain[0];
}
