/** Libraries within the executable. The build swaps this module for one that has those of its target. */

export type EmbeddedName = "libnl-3.so.200" | "libnl-route-3.so.200";

/** The bytes of an embedded library; `undefined` when the program was not built with it. */
export function embeddedLibrary(_name: EmbeddedName): Uint8Array | undefined {
  return undefined;
}
