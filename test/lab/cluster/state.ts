/** What a cluster needs to be found again by another process: `DIR/state.json`. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Binaries } from "./binaries.ts";
import type { PartName } from "./command-lines.ts";
import type { FeatureGates } from "./config-files.ts";
import { layout } from "./layout.ts";
import type { ClusterNetwork } from "./network.ts";
import type { ProcessId } from "./process-id.ts";
import type { Tunables } from "./tunables.ts";

export interface ClusterState {
  readonly release: string;
  readonly nodeName: string;
  readonly cgroup: string;
  readonly network: ClusterNetwork;
  readonly featureGates: FeatureGates;
  readonly apis: readonly string[];
  readonly requiredNriPlugins: readonly string[];
  readonly binaries: Binaries;
  /** Of the kernel, before the cluster came. */
  readonly tunables: Tunables;
  readonly holder?: ProcessId;
  readonly parts: Readonly<Partial<Record<PartName, ProcessId>>>;
}

/** Undefined where there is no cluster. */
export function readState(dir: string): ClusterState | undefined {
  const { state } = layout(dir);
  return existsSync(state) ? (JSON.parse(readFileSync(state, "utf8")) as ClusterState) : undefined;
}

export function writeState(dir: string, state: ClusterState): void {
  const path = layout(dir).state;
  writeFileSync(`${path}.new`, JSON.stringify(state, null, 2), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
