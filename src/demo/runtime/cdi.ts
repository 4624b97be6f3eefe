/** What a runtime does with CDI (cncf-tags/container-device-interface SPEC.md), as far as receipts use it. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface BindMount {
  readonly hostPath: string;
  readonly containerPath: string;
}

export interface ContainerEdits {
  readonly env: readonly string[];
  readonly mounts: readonly BindMount[];
}

interface CdiSpec {
  readonly kind: string;
  readonly devices: readonly { readonly name: string; readonly containerEdits: Partial<ContainerEdits> }[];
}

/** The edits of all devices named, in order. Throws, in containerd's words, when a name stands in no file. */
export function resolveDevices(directory: string, names: readonly string[]): ContainerEdits {
  const files = readdirSync(directory).filter((name) => name.endsWith(".json"));
  const specs = files.map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")) as CdiSpec);
  const edits = new Map(
    specs.flatMap(({ kind, devices }) => devices.map((at) => [`${kind}=${at.name}`, at.containerEdits])),
  );
  const missing = names.filter((name) => !edits.has(name));
  if (missing.length > 0)
    throw new Error(`CDI device injection failed: unresolvable CDI devices ${missing.join(", ")}`);
  const wanted = names.flatMap((name) => edits.get(name) ?? []);
  return { env: wanted.flatMap(({ env }) => env ?? []), mounts: wanted.flatMap(({ mounts }) => mounts ?? []) };
}
