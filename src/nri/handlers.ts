/** What the NRI plugin needs from the rest of netferry. Sandboxes and containers are those of `nri/api.proto`, trimmed. */

import type { DeviceNode } from "../kernel/device-node.ts";

export interface Sandbox {
  readonly id: string;
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
  /** Path of the network namespace; absent for a host-network pod, and at Stop on containerd before 2.1. */
  readonly netnsPath?: string;
}

export interface SandboxContainer {
  readonly id: string;
  readonly name: string;
  readonly sandboxId: string;
  /** `KEY=value`, with what CDI has injected already. */
  readonly env: readonly string[];
  /** Fully qualified CDI device names, where the runtime tells (NRI 0.10 and later) or the annotations do. */
  readonly cdiDevices: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  /** `cpuset.cpus` and `cpuset.mems` as they are asked for; empty: no limit. */
  readonly cpus: string;
  readonly mems: string;
}

/** What is to be different in a container. Absent: as it is. */
export interface ContainerChange {
  /** Character devices to add. */
  readonly deviceNodes?: readonly DeviceNode[];
  readonly cpus?: string;
  readonly mems?: string;
  /** Links that the OCI runtime moves: name on the host → name in the container. */
  readonly netDevices?: Readonly<Record<string, string>>;
}

export interface RuntimeInfo {
  readonly name: string;
  readonly version: string;
  /** Of NRI, where the runtime tells: 0.12 and later. */
  readonly nriVersion?: string;
}

export interface SandboxHandlers {
  /** Whether the pod has a claim of ours: what is done for others is counted apart. */
  concerns(sandbox: Sandbox): boolean;
  /** After every (re)connect: all sandboxes and containers that the runtime knows. */
  synchronize(
    sandboxes: readonly Sandbox[],
    containers: readonly SandboxContainer[],
    runtime: RuntimeInfo,
  ): Promise<void>;
  /** Must not reject: the plugin answers the runtime without an error whatever happens. Bounded by `budget`. */
  sandboxStarted(sandbox: Sandbox, budget: AbortSignal): Promise<void>;
  sandboxStopped(sandbox: Sandbox, budget: AbortSignal): Promise<void>;
  sandboxRemoved(sandbox: Sandbox): Promise<void>;
  /** Rejects with a ClaimError to refuse the container. */
  containerCreating(sandbox: Sandbox, container: SandboxContainer, budget: AbortSignal): Promise<ContainerChange>;
  /** The connection is gone. */
  disconnected(): void;
}
