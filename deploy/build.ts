/** `./dev build [amd64|arm64|faults]...`: the executables under `dist/`. */

import { statSync } from "node:fs";
import { join } from "node:path";
import { ARCHITECTURES } from "./build/architecture.ts";
import { runCommand } from "./build/command.ts";
import { buildExecutable } from "./build/executable.ts";

const PROJECT = join(import.meta.dir, "..");

const BUILDS = {
  amd64: { architecture: "amd64", outfile: ARCHITECTURES.amd64.outfile, faults: false },
  arm64: { architecture: "arm64", outfile: ARCHITECTURES.arm64.outfile, faults: false },
  faults: { architecture: "amd64", outfile: "dist/netferry-faults", faults: true },
} as const;

const asked = process.argv.slice(2);
const { version } = await Bun.file(join(PROJECT, "package.json")).json();
const commit = await currentCommit();

for (const name of asked.length > 0 ? asked : ["amd64", "arm64"]) {
  const build = Object.entries(BUILDS).find(([key]) => key === name)?.[1];
  if (build === undefined) {
    console.error(`There is no build "${name}"; there are ${Object.keys(BUILDS).join(", ")}.`);
    process.exit(2);
  }
  const startedMs = performance.now();
  const outfile = join(PROJECT, build.outfile);
  await buildExecutable(PROJECT, { ...build, outfile, version, commit });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(
    `${build.outfile}  ${(statSync(outfile).size / 1e6).toFixed(1)} MB  ${seconds} s  ${version} (${commit})`,
  );
}

/** `NETFERRY_COMMIT` is for builds without the repository, as in a container. A changed tree is marked. */
async function currentCommit(): Promise<string> {
  const given = process.env["NETFERRY_COMMIT"];
  if (given !== undefined && given !== "") return given;
  try {
    const git = ["git", "-c", "safe.directory=*"]; // root may build what somebody else has checked out
    const commit = (await runCommand([...git, "rev-parse", "--short=12", "HEAD"], PROJECT)).trim();
    const changes = await runCommand([...git, "status", "--porcelain", "--untracked-files=no"], PROJECT);
    return changes.trim() === "" ? commit : `${commit}-changed`;
  } catch {
    return "unknown"; // no git, or no repository: the version alone has to do
  }
}
