/** Swaps `ffi/embedded.ts`, which has no library, for a module that carries those of the target. */

import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { BunPlugin } from "bun";
import type { EmbeddedFile } from "./libnl.ts";

export interface EmbedPlugin {
  readonly plugin: BunPlugin;
  /** False after a build in which nobody imported `ffi/embedded.ts`: its executable carries nothing. */
  swapped(): boolean;
}

export async function embedPlugin(
  project: string,
  files: readonly EmbeddedFile[],
  folder: string,
): Promise<EmbedPlugin> {
  mkdirSync(folder, { recursive: true });
  for (const file of files) await Bun.write(join(folder, file.soname), Bun.file(file.path));
  const module = join(folder, "embedded.ts");
  await Bun.write(module, embeddedModule(files.map((file) => file.soname)));
  const original = join(project, "ffi/embedded.ts");
  let swapped = false;
  const plugin: BunPlugin = {
    name: "embedded libraries",
    setup(build) {
      build.onResolve({ filter: /\/embedded\.ts$/ }, ({ path, importer }) => {
        if (resolve(dirname(importer), path) !== original) return undefined;
        swapped = true;
        return { path: module };
      });
    },
  };
  return { plugin, swapped: () => swapped };
}

/** The module's text. A library is read when it is asked for: a host that has its own costs no memory. */
export function embeddedModule(sonames: readonly string[]): string {
  const imports = sonames.map((name, at) => `import file${at} from "./${name}" with { type: "file" };`);
  const entries = sonames.map((name, at) => `  ["${name}", file${at}],`);
  return `import { readFileSync } from "node:fs";
${imports.join("\n")}

const FILES: ReadonlyMap<string, string> = new Map([
${entries.join("\n")}
]);

export function embeddedLibrary(name: string): Uint8Array | undefined {
  const path = FILES.get(name);
  return path === undefined ? undefined : readFileSync(path);
}
`;
}
