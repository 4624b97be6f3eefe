/** Takes the fault points out of a release: their calls, and so the module that they come from. */

import type { BunPlugin } from "bun";

/** A whole statement that calls `faultPoint` or another function of `src/lib/fault.ts`, on a line of its own. */
const CALL = /^[ \t]*(?:await )?fault[A-Z]\w*\([^;\n]*\);[ \t]*$/gm;

export function withoutFaults(code: string): string {
  return code.replaceAll(CALL, "");
}

export const faultPlugin: BunPlugin = {
  name: "no fault points",
  setup(build) {
    build.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
      const code = await Bun.file(path).text();
      return { contents: withoutFaults(code), loader: "ts" };
    });
  },
};
