/** A small container runtime: real network namespaces, real NRI, CDI as containerd applies it. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { ContainerSchema, Event, type PodSandbox, PodSandboxSchema } from "../../proto/gen/nri/api_pb.ts";
import { ROLE, runSelf, TASK } from "../self.ts";
import { resolveDevices } from "./cdi.ts";
import type { ContainerTask } from "./container.ts";
import { addNamespace, removeNamespace } from "./namespace.ts";
import { NriServer } from "./nri-server.ts";

export interface RuntimeDirectories {
  readonly nriSocket: string;
  readonly netnsDir: string;
  readonly cdiDir: string;
  /** Where containers get an empty directory each. */
  readonly rootDir: string;
}

export interface ContainerRequest {
  readonly name: string;
  /** CDI devices that the container cannot do without. */
  readonly devices: readonly string[];
  readonly ping: readonly string[];
}

/** A pod's sandbox that runs. */
export interface DemoPod {
  readonly sandbox: PodSandbox;
  readonly netnsPath: string;
}

export class DemoRuntime implements AsyncDisposable {
  readonly nri: NriServer;
  readonly #directories: RuntimeDirectories;
  readonly #pods = new Set<DemoPod>();
  #lastId = 0;

  constructor(directories: RuntimeDirectories) {
    this.#directories = directories;
    for (const directory of [directories.netnsDir, directories.cdiDir, directories.rootDir]) mkdirSync(directory);
    this.nri = new NriServer(directories.nriSocket, () => [...this.#pods].map(({ sandbox }) => sandbox));
  }

  /** A new sandbox, which the plugin has heard of. */
  async startPod(name: string, annotations: Readonly<Record<string, string>> = {}): Promise<DemoPod> {
    const id = `${name}-${++this.#lastId}`;
    const netnsPath = join(this.#directories.netnsDir, id);
    await addNamespace(netnsPath);
    const linux = { namespaces: [{ type: "network", path: netnsPath }] };
    const sandbox = create(PodSandboxSchema, { id, name, namespace: "default", uid: `uid-${id}`, annotations, linux });
    const pod = { sandbox, netnsPath };
    this.#pods.add(pod);
    await this.nri.podEvent(Event.RUN_POD_SANDBOX, sandbox);
    return pod;
  }

  /**
   * Creates, starts and awaits a container; answers what it wrote. Rejects when CDI cannot resolve its devices, when the
   * plugin refuses it, and when the source of one of its mounts is not there in the pod.
   */
  async runContainer({ sandbox, netnsPath }: DemoPod, { name, devices, ping }: ContainerRequest): Promise<string> {
    const { env, mounts } = resolveDevices(this.#directories.cdiDir, devices);
    const id = `${name}-${++this.#lastId}`;
    const container = create(ContainerSchema, { id, podSandboxId: sandbox.id, name, env: [...env] });
    await this.nri.createContainer(sandbox, container);
    const root = join(this.#directories.rootDir, id);
    mkdirSync(root);
    const task: ContainerTask = { netnsPath, root, mounts, ping };
    const variables = env.map((entry) => [entry.replace(/=.*/s, ""), entry.replace(/^[^=]*=/, "")]);
    const { code, stdout, stderr } = await runSelf(["demo"], {
      ...Object.fromEntries(variables),
      [ROLE]: "container",
      [TASK]: JSON.stringify(task),
    });
    if (code !== 0) throw new Error(`container ${name} did not start: ${stderr || "it took too long"}`);
    return stdout;
  }

  /** In containerd's order: the plugin hears of the end while the namespace is still there, and again when it is gone. */
  async stopPod(pod: DemoPod): Promise<void> {
    await this.nri.podEvent(Event.STOP_POD_SANDBOX, pod.sandbox);
    this.#pods.delete(pod);
    removeNamespace(pod.netnsPath);
    await this.nri.podEvent(Event.REMOVE_POD_SANDBOX, pod.sandbox);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.nri[Symbol.asyncDispose]();
    for (const { netnsPath } of this.#pods) removeNamespace(netnsPath);
  }
}
