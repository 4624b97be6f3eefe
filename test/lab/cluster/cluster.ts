/**
 * A real Kubernetes cluster of one node: API server, scheduler, controllers, kubelet and the newest containerd, without
 * a registry and without Docker. Needs root. Several run side by side.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { OciRuntime } from "../runtime/oci-runtimes.ts";
import { ApiClient } from "./api.ts";
import { type Binaries, clusterBinaries } from "./binaries.ts";
import { ClusterCgroup } from "./cgroup.ts";
import { commandLines, PART_NAMES, type PartName } from "./command-lines.ts";
import { CDI_DIR, CONTAINERD_SOCKET, type FeatureGates, KUBELET_ROOT, NETNS_DIR, NRI_SOCKET } from "./config-files.ts";
import { writeClusterFiles } from "./files.ts";
import { hostPath, layout } from "./layout.ts";
import { newestRelease } from "./modules.ts";
import { addAddresses, freeNetwork, removeAddresses } from "./network.ts";
import { inNode, startNode } from "./node.ts";
import { Part } from "./part.ts";
import { processId } from "./process-id.ts";
import { accepts, takesPods } from "./readiness.ts";
import { type RunOptions, run } from "./run.ts";
import { type ClusterState, readState, writeState } from "./state.ts";
import { readTunables, restoreTunables } from "./tunables.ts";
import { until } from "./wait.ts";

export interface ClusterOptions {
  /** `1.34`; default: the newest of the lab. */
  readonly release?: string;
  /** Default: those of the release. */
  readonly featureGates?: FeatureGates;
  /** API versions that are off by default: `resource.k8s.io/v1alpha3`. */
  readonly apis?: readonly string[];
  /** Default: runc 1.4. */
  readonly ociRuntime?: OciRuntime;
  /** NRI plugins without which containerd creates no container. */
  readonly requiredNriPlugins?: readonly string[];
  /** Default: a new folder. It goes with the cluster. */
  readonly dir?: string;
  /** Hears what takes long; default: standard error. */
  readonly say?: (line: string) => void;
}

const NODE_NAME = "lab-node";
const READY_LIMIT_MS = 60_000;
const KUBECTL_LIMIT_MS = 300_000;
const IMPORT_LIMIT_MS = 60_000;
const PART_LIMIT_MS: Readonly<Record<PartName, number>> = {
  etcd: 20_000,
  containerd: 20_000,
  apiserver: 60_000,
  controllers: 30_000,
  scheduler: 30_000,
  kubelet: 60_000,
};

/** Builds what the cache lacks, starts everything, and waits until the node is Ready and takes pods. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const say = options.say ?? ((line: string) => console.error(`cluster: ${line}`));
  if (process.getuid?.() !== 0) throw new Error("The cluster needs root: it makes mounts, cgroups and pods.");
  const release = options.release ?? newestRelease();
  const runtime = options.ociRuntime === undefined ? {} : { ociRuntime: options.ociRuntime };
  const binaries = await clusterBinaries({ release, say, ...runtime });
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "netferry-cluster-"));
  if (/^\/(var\/)?(run|lib|log)\//.test(dir)) throw new Error(`${dir} is hidden from the node; choose another folder`);
  if (readState(dir) !== undefined) throw new Error(`There is a cluster in ${dir} already; end it first.`);
  mkdirSync(dir, { recursive: true });
  const state: ClusterState = {
    release,
    nodeName: NODE_NAME,
    cgroup: basename(dir),
    network: freeNetwork(),
    featureGates: options.featureGates ?? {},
    apis: options.apis ?? [],
    requiredNriPlugins: options.requiredNriPlugins ?? [],
    binaries,
    tunables: readTunables(),
    parts: {},
  };
  writeState(dir, state);
  const cluster = new Cluster(dir, state);
  try {
    await writeClusterFiles({ dir, ...state, cgroup: `/${state.cgroup}` });
    await addAddresses(state.network);
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.down();
    throw error;
  }
}

/** The cluster that another process has started in `dir`; undefined where there is none. */
export function openCluster(dir: string): Cluster | undefined {
  const state = readState(dir);
  return state === undefined ? undefined : new Cluster(dir, state);
}

export class Cluster implements AsyncDisposable {
  readonly dir: string;
  /** Of the administrator. */
  readonly kubeconfig: string;
  readonly nodeName: string;
  readonly release: string;
  readonly versions: Binaries["versions"];
  /** `https://10.97.4.1`; the address is on `lo`. */
  readonly server: string;
  /** As the host reaches them; the node has them at the usual paths. Whoever needs the CDI folder first makes it. */
  readonly dirs: Readonly<Record<"kubelet" | "cdi" | "netns" | "log", string>>;
  readonly sockets: Readonly<Record<"nri" | "containerd", string>>;
  readonly parts: Readonly<Record<PartName, Part>>;
  readonly cgroup: ClusterCgroup;
  #state: ClusterState;
  #api: ApiClient | undefined;

  constructor(dir: string, state: ClusterState) {
    this.dir = dir;
    this.#state = state;
    this.kubeconfig = layout(dir).kubeconfig;
    this.nodeName = state.nodeName;
    this.release = state.release;
    this.versions = state.binaries.versions;
    this.server = `https://${state.network.apiServer}`;
    this.dirs = {
      kubelet: this.hostPath(KUBELET_ROOT),
      cdi: this.hostPath(CDI_DIR),
      netns: this.hostPath(NETNS_DIR),
      log: layout(dir).log,
    };
    this.sockets = { nri: this.hostPath(NRI_SOCKET), containerd: this.hostPath(CONTAINERD_SOCKET) };
    this.cgroup = new ClusterCgroup(state.cgroup);
    const argv = commandLines({ dir, ...state });
    const part = (name: PartName) => this.#part(name, argv[name]);
    this.parts = {
      etcd: part("etcd"),
      containerd: part("containerd"),
      apiserver: part("apiserver"),
      controllers: part("controllers"),
      scheduler: part("scheduler"),
      kubelet: part("kubelet"),
    };
  }

  /** As the administrator, with the paths of the API: `/api/v1/nodes`. */
  get api(): ApiClient {
    this.#api ??= new ApiClient(this.server, layout(this.dir).pki);
    return this.#api;
  }

  /** A path of the node, as the host reaches it. */
  hostPath(path: string): string {
    return hostPath(this.dir, path);
  }

  /**
   * The command that runs `argv` in the node, where the usual paths are the cluster's. It belongs to the cluster then:
   * whatever is left of it ends with the cluster.
   */
  inNode(argv: readonly string[]): string[] {
    const holder = this.#state.holder;
    if (holder === undefined) throw new Error(`The node in ${this.dir} is down.`);
    return inNode(holder.pid, this.cgroup, argv);
  }

  /** Runs `kubectl` and returns its output. Throws with its standard error. */
  kubectl(args: readonly string[], options: Partial<Pick<RunOptions, "stdin" | "limitMs">> = {}): Promise<string> {
    return run(this.kubectlCommand(args), { limitMs: KUBECTL_LIMIT_MS, ...options });
  }

  /** The command that kubectl() runs, for callers that want its streams. */
  kubectlCommand(args: readonly string[]): string[] {
    const cache = join(layout(this.dir).home, "kubectl");
    return [this.#state.binaries.kubectl, `--kubeconfig=${this.kubeconfig}`, `--cache-dir=${cache}`, ...args];
  }

  /** `kubectl apply` of YAML or JSON text. */
  apply(manifest: string): Promise<string> {
    return this.kubectl(["apply", "-f", "-"], { stdin: manifest });
  }

  /** Runs containerd's own client, in the namespace of pods. */
  ctr(...args: readonly string[]): Promise<string> {
    const ctr = join(this.#state.binaries.containerd, "ctr");
    return run([ctr, "--address", this.sockets.containerd, "--namespace", "k8s.io", ...args], {
      limitMs: IMPORT_LIMIT_MS,
    });
  }

  /** Makes images of an archive (OCI layout or Docker) known to the node's containerd. */
  async importImages(archive: string): Promise<void> {
    await this.ctr("images", "import", "--snapshotter", "overlayfs", archive);
  }

  /** Starts node and parts, and waits until pods are welcome. */
  async start(): Promise<void> {
    this.cgroup.create();
    const holder = processId(await startNode(this.dir, this.cgroup));
    this.#remember({ holder });
    const { etcd, containerd, apiserver, controllers, scheduler, kubelet } = this.parts;
    const images = containerd.start().then(async () => {
      for (const archive of this.#state.binaries.images) await this.importImages(archive);
    });
    const control = etcd.start().then(() => apiserver.start());
    await Promise.all([images, control]);
    await Promise.all([controllers.start(), scheduler.start(), kubelet.start()]);
    await this.ready();
  }

  /** The subnet of pods; the host has a route to each pod's link. */
  get podSubnet(): string {
    return this.#state.network.podSubnet;
  }

  /** Of the node, and of pods with its network. */
  get nodeAddress(): string {
    return this.#state.network.node;
  }

  /** The addresses that the cluster has on `lo`. */
  get addresses(): readonly string[] {
    return [this.#state.network.apiServer, this.#state.network.node];
  }

  /** Waits until the node is Ready, pods are admitted, and the kubelet knows those that run. */
  async ready(limitMs = READY_LIMIT_MS): Promise<void> {
    const what = `the node of the cluster in ${this.dir} is Ready`;
    try {
      await until(what, () => takesPods(this.api, this.nodeName), limitMs);
    } catch (cause) {
      throw new Error(`The node does not become Ready; the kubelet says:\n${this.parts.kubelet.logTail()}`, { cause });
    }
  }

  /**
   * What a reboot of the node does: every process ends at once, pods too, and `/run` is empty. `/var/lib` stays. The
   * kernel stays as well: whoever looks at the boot id has to be told another one. `meanwhile` runs while all is down.
   */
  async reboot(meanwhile?: () => Promise<void>): Promise<void> {
    await this.#halt();
    rmSync(layout(this.dir).node.run, { recursive: true });
    mkdirSync(layout(this.dir).node.run);
    await meanwhile?.();
    await this.start();
  }

  /** Ends everything and leaves nothing behind. */
  async down(): Promise<void> {
    await this.#halt();
    await removeAddresses(this.#state.network);
    restoreTunables(this.#state.tunables);
    rmSync(this.dir, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  /** With the last process the mount namespace goes, and with it the namespaces of pods. */
  async #halt(): Promise<void> {
    await this.cgroup.kill();
    await this.cgroup.remove();
    this.#remember({ parts: {} });
  }

  #part(name: PartName, argv: readonly string[]): Part {
    const { log, home } = layout(this.dir);
    return new Part(
      {
        name,
        argv,
        home,
        log: join(log, `${name}.log`),
        wrap: (command) => this.inNode(command),
        remember: (id) => {
          const { [name]: _, ...others } = this.#state.parts;
          this.#remember({ parts: id === undefined ? others : { ...others, [name]: id } });
        },
        ready: () => this.#isReady(name),
        readyLimitMs: PART_LIMIT_MS[name],
      },
      this.#state.parts[name],
    );
  }

  async #isReady(name: PartName): Promise<boolean> {
    const { node } = this.#state.network;
    switch (name) {
      case "etcd":
        return await accepts({ host: node, port: 2379 });
      case "containerd":
        return existsSync(this.sockets.nri) && (await accepts({ path: this.sockets.containerd }));
      case "apiserver":
        return await this.api.isReady();
      case "controllers":
        return await accepts({ host: node, port: 10257 });
      case "scheduler":
        return await accepts({ host: node, port: 10259 });
      case "kubelet":
        return await accepts({ host: node, port: 10250 });
    }
  }

  #remember(change: Partial<ClusterState>): void {
    this.#state = { ...this.#state, ...change };
    if (existsSync(this.dir)) writeState(this.dir, this.#state);
  }
}

export { PART_NAMES, type PartName };
