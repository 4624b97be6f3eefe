/** Pods and containers through CRI, each step callable alone. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Containerd } from "./containerd.ts";
import { NamespaceMode, type PodSandboxConfigSchema, RuntimeService } from "./gen/cri_pb.ts";
import { BUSYBOX_IMAGE } from "./images.ts";

const RPC = RuntimeService.method;
type PodConfig = MessageInitShape<typeof PodSandboxConfigSchema>;

export interface PodOptions {
  readonly name: string;
  readonly namespace?: string;
  /** Default: a new one. Give that of an older pod for a new sandbox of the same pod. */
  readonly uid?: string;
  /** Counts the sandboxes of one pod. */
  readonly attempt?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly hostNetwork?: boolean;
}

export interface Pod {
  readonly sandboxId: string;
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly config: PodConfig;
}

export interface ContainerOptions {
  readonly name: string;
  /** Default: sleeps for ever. */
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Fully qualified CDI device ids. */
  readonly cdiDevices?: readonly string[];
  readonly attempt?: number;
  /** As a kubelet's CPU and memory managers bind a container. */
  readonly cpuset?: { readonly cpusetCpus: string; readonly cpusetMems: string };
}

export interface Exec {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** What a kubelet asks of one runtime. Rejections are RpcError: `code` and `details` are the runtime's. */
export class Pods {
  readonly #lab: Containerd;

  constructor(lab: Containerd) {
    this.#lab = lab;
  }

  async run(options: PodOptions): Promise<Pod> {
    const { name, namespace = "default", uid = crypto.randomUUID(), attempt = 0, annotations = {} } = options;
    const config: PodConfig = {
      metadata: { name, uid, namespace, attempt },
      logDirectory: this.#lab.podLogDir,
      labels: {
        "io.kubernetes.pod.name": name,
        "io.kubernetes.pod.namespace": namespace,
        "io.kubernetes.pod.uid": uid,
      },
      annotations: { ...annotations },
      linux: {
        cgroupParent: this.#lab.cgroup,
        securityContext: {
          namespaceOptions: {
            network: options.hostNetwork === true ? NamespaceMode.NODE : NamespaceMode.POD,
            pid: NamespaceMode.CONTAINER,
            ipc: NamespaceMode.POD,
          },
        },
      },
    };
    const { podSandboxId } = await this.#lab.cri.call(RPC.runPodSandbox, { config });
    return { sandboxId: podSandboxId, uid, name, namespace, config };
  }

  /** Returns the container's id. */
  async create(pod: Pod, options: ContainerOptions): Promise<string> {
    const { containerId } = await this.#lab.cri.call(RPC.createContainer, {
      podSandboxId: pod.sandboxId,
      sandboxConfig: pod.config,
      config: {
        metadata: { name: options.name, attempt: options.attempt ?? 0 },
        image: { image: BUSYBOX_IMAGE },
        command: [...(options.command ?? ["sleep", "1000000"])],
        envs: Object.entries(options.env ?? {}).map(([key, value]) => ({ key, value })),
        annotations: { ...options.annotations },
        logPath: `${pod.name}_${options.name}.log`,
        CDIDevices: (options.cdiDevices ?? []).map((id) => ({ name: id })),
        linux: {
          securityContext: { capabilities: { addCapabilities: ["NET_RAW"] } }, // for ping
          ...(options.cpuset === undefined ? {} : { resources: options.cpuset }),
        },
      },
    });
    return containerId;
  }

  async start(containerId: string): Promise<void> {
    await this.#lab.cri.call(RPC.startContainer, { containerId });
  }

  /** create() and start(). */
  async launch(pod: Pod, options: ContainerOptions): Promise<string> {
    const containerId = await this.create(pod, options);
    await this.start(containerId);
    return containerId;
  }

  /** Runs a command in a container that runs. A command that fails is an answer too. */
  async exec(containerId: string, ...cmd: readonly string[]): Promise<Exec> {
    const answer = await this.#lab.cri.call(RPC.execSync, { containerId, cmd: [...cmd], timeout: 20n });
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { stdout: text(answer.stdout), stderr: text(answer.stderr), exitCode: answer.exitCode };
  }

  /** `state`, `reason` and `message` of a container. */
  async status(containerId: string) {
    const { status } = await this.#lab.cri.call(RPC.containerStatus, { containerId });
    if (status === undefined) throw new Error(`the runtime says nothing about container ${containerId}`);
    return status;
  }

  /** The path of the sandbox's network namespace, as the runtime tells; undefined for one in the host's network. */
  async netns(pod: Pod): Promise<string | undefined> {
    const { info } = await this.#lab.cri.call(RPC.podSandboxStatus, { podSandboxId: pod.sandboxId, verbose: true });
    const { runtimeSpec } = JSON.parse(info["info"] ?? "{}") as {
      runtimeSpec?: { linux?: { namespaces?: { type: string; path?: string }[] } };
    };
    return runtimeSpec?.linux?.namespaces?.find((namespace) => namespace.type === "network")?.path;
  }

  async removeContainer(containerId: string): Promise<void> {
    await this.#lab.cri.call(RPC.removeContainer, { containerId });
  }

  async stop(pod: Pick<Pod, "sandboxId">): Promise<void> {
    await this.#lab.cri.call(RPC.stopPodSandbox, { podSandboxId: pod.sandboxId });
  }

  async remove(pod: Pick<Pod, "sandboxId">): Promise<void> {
    await this.#lab.cri.call(RPC.removePodSandbox, { podSandboxId: pod.sandboxId });
  }
}
