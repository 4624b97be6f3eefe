/** One executable: the agent's code, the runtime of the target and the libraries of the target. */

import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { ARCHITECTURES, type Architecture } from "./architecture.ts";
import { bunRuntime } from "./bun-runtime.ts";
import { embedPlugin } from "./embed-plugin.ts";
import { faultPlugin } from "./fault-plugin.ts";
import { checkElf, fetchLibnl } from "./libnl.ts";

export interface ExecutableOptions {
  readonly architecture: Architecture;
  readonly outfile: string;
  readonly version: string;
  readonly commit: string;
  /** Compiles the fault points in. Never in what is released. */
  readonly faults: boolean;
}

export async function buildExecutable(project: string, options: ExecutableOptions): Promise<void> {
  const { architecture, outfile } = options;
  const cache = join(project, ".cache");
  const libraries = await fetchLibnl(architecture, cache);
  for (const library of libraries) await checkElf(library, architecture);
  const executablePath = await bunRuntime(architecture, cache);
  const embed = await embedPlugin(project, libraries, join(cache, "embedded", architecture));
  mkdirSync(dirname(outfile), { recursive: true });
  rmSync(outfile, { force: true }); // a running one keeps its file
  await Bun.build({
    entrypoints: [join(project, "src/main.ts"), join(project, "src/kernel/worker.ts")],
    root: join(project, "src"),
    plugins: options.faults ? [embed.plugin] : [embed.plugin, faultPlugin],
    target: "bun",
    format: "esm",
    minify: true,
    bytecode: true,
    // What is imported on demand is a file of its own within the executable, and costs nothing before.
    splitting: true,
    define: {
      NETFERRY_VERSION: JSON.stringify(options.version),
      NETFERRY_COMMIT: JSON.stringify(options.commit),
      NETFERRY_FAULTS: String(options.faults),
    },
    compile: {
      target: ARCHITECTURES[architecture].target,
      outfile,
      ...(executablePath === undefined ? {} : { executablePath }),
      // Code of an agent that mostly waits is seldom worth compiling, and a heap that grows slowly stays small.
      jitPolicy: 10,
      execArgv: ["--smol"],
      // A root daemon must not take settings from the directory that it happens to start in.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  });
  if (!embed.swapped()) throw new Error("Nothing imports ffi/embedded.ts, so the executable would carry no library.");
}
