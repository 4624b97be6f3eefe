import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

const PROJECT = join(import.meta.dir, "..");

interface Manifest {
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function readManifest(folder: string): Promise<Manifest> {
  return Bun.file(join(folder, "package.json")).json();
}

/** Every package that the product depends on, directly or not, with its licence. Types hold no code. */
async function productPackages(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const visit = async (folder: string) => {
    for (const name of Object.keys((await readManifest(folder)).dependencies ?? {})) {
      const nested = join(folder, "node_modules", name);
      const home = existsSync(nested) ? nested : join(PROJECT, "node_modules", name);
      if (found.has(name)) continue;
      found.set(name, (await readManifest(home)).license ?? "none");
      await visit(home);
    }
  };
  await visit(PROJECT);
  return new Map([...found].filter(([name]) => !name.startsWith("@types/")));
}

test("THIRD_PARTY.md names every package that the product depends on, with its licence", async () => {
  const page = await Bun.file(join(PROJECT, "THIRD_PARTY.md")).text();
  const rows = page.split("\n").filter((line) => line.startsWith("|"));
  const missing = [...(await productPackages())].filter(([name, license]) => {
    const words = license.replace(/[()]/g, "").split(" AND ");
    return !rows.some((row) => row.includes(`\`${name}\``) && words.every((word) => row.includes(word)));
  });
  expect(missing).toEqual([]);
});

test("THIRD_PARTY.md names the libnl that is pinned", async () => {
  const page = await Bun.file(join(PROJECT, "THIRD_PARTY.md")).text();
  const pins = await Bun.file(join(PROJECT, "deploy/build/pins.json")).json();
  const [source, version] = pins.libnl.source.split(" ");
  expect(page).toContain(`\`${source}\` ${version}`);
  for (const { path } of [...pins.libnl.packages.amd64, ...pins.libnl.packages.arm64]) expect(path).toContain(version);
  expect(await Bun.file(join(PROJECT, "LICENSES/LGPL-2.1.txt")).text()).toContain("Version 2.1, February 1999");
});

test("the README's table gives a reason for every direct dependency, and for none that is gone", async () => {
  const readme = await Bun.file(join(PROJECT, "README.md")).text();
  const { dependencies, devDependencies } = await Bun.file(join(PROJECT, "package.json")).json();
  const rows = [...readme.matchAll(/^\| `([^`]+)` \| (\S.*) \|$/gm)].map(([, name]) => name ?? "");
  const wanted = Object.keys({ ...dependencies, ...devDependencies });
  expect(rows.filter((name) => wanted.includes(name)).sort()).toEqual(wanted.sort());
});
