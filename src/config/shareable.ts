/** `--shareable`: devices that several claims may have at once. */

import { compileCelFilter, type FilterAttributes } from "./filter.ts";

/** Whether a device may be shared. A device on which the expression fails may not. */
export type ShareableTest = (attributes: FilterAttributes) => boolean;

/** `source` is the text of the flag; empty is true for none. Rejects with a ConfigError. */
export async function compileShareable(source: string): Promise<ShareableTest> {
  if (source.trim() === "") return () => false;
  const isTrueFor = await compileCelFilter(source, "--shareable");
  return (attributes) => {
    const { keep, problem } = isTrueFor(attributes);
    return keep && problem === undefined;
  };
}
