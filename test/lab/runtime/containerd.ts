/** A real containerd with NRI and CRI, in a folder of its own, for tests. Several run side by side. Needs root. */
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describeError } from "../../../src/lib/errors.ts";
import { eventually } from "../../fakes/eventually.ts";
import { command } from "./command.ts";
import { cniConfig, containerdToml, labPaths } from "./containerd-config.ts";
import { RuntimeService } from "./gen/cri_pb.ts";
import { GrpcClient } from "./grpc-client.ts";
import { labImages, PAUSE_IMAGE } from "./images.ts";
import { cniResults, findMounts, findProcesses, removeCgroups, shimSockets, taskIds, unmountAll } from "./leftovers.ts";
import { type OciRuntime, ociRuntime } from "./oci-runtimes.ts";
import { debianPackages } from "./packages.ts";

export interface ContainerdOptions {
  /** sid has containerd 2.x, trixie 1.7. */
  readonly suite: "sid" | "trixie";
  readonly runtime?: OciRuntime;
  /** A folder with another containerd than the suite's, and its shim. */
  readonly build?: { readonly bin: string; readonly version: string };
  /** How long containerd waits for a plugin; default 2000. */
  readonly requestTimeoutMs?: number;
  /** Default true, also for 1.7, whose own default is false. */
  readonly cdi?: boolean;
  /** Default: a new folder, which goes at the end. One that is given stays. */
  readonly dir?: string;
}

export interface RestartOptions {
  readonly signal?: "SIGTERM" | "SIGKILL";
  /** Runs while no containerd is there. */
  readonly meanwhile?: () => Promise<void>;
}

const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 10_000;

/** What a lab is made of. Fetches what the cache lacks: some 60 MB for a suite. */
export async function containerdParts(options: Pick<ContainerdOptions, "suite" | "runtime">) {
  const {
    containerd,
    "busybox-static": busybox,
    "containernetworking-plugins": cni,
  } = await debianPackages(options.suite, ["containerd", "busybox-static", "containernetworking-plugins"]);
  return { containerd, cni, oci: await ociRuntime(options.runtime ?? "runc"), images: await labImages(busybox) };
}

/** Starts one and waits until it takes pods. */
export async function startContainerd(options: ContainerdOptions): Promise<Containerd> {
  const { containerd, cni, oci, images } = await containerdParts(options);
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), `netferry-${options.suite}-`));
  const paths = labPaths(dir);
  for (const folder of [paths.cdi, paths.cni, paths.logs, paths.nriPlugins, paths.nriConfig, paths.opt]) {
    mkdirSync(folder, { recursive: true });
  }
  const bin = options.build?.bin ?? join(containerd.root, "usr/bin");
  const version = options.build?.version ?? containerd.version;
  const toml = containerdToml({
    version: version.startsWith("1.") ? 2 : 3,
    dir,
    shim: join(bin, "containerd-shim-runc-v2"),
    ociRuntime: oci.path,
    cniPlugins: join(cni.root, "usr/lib/cni"),
    pauseImage: PAUSE_IMAGE,
    requestTimeoutMs: options.requestTimeoutMs ?? 2_000,
    cdi: options.cdi ?? true,
  });
  writeFileSync(paths.config, toml);
  writeFileSync(join(paths.cni, "10-lab.conflist"), cniConfig(dir, randomSubnet()));
  const versions = {
    containerd: version,
    cni: cni.version,
    oci: `${options.runtime ?? "runc"} ${oci.version}`,
  };
  const lab = new Containerd({ bin, dir, removeDir: options.dir === undefined, versions });
  try {
    await lab.start();
    await lab.ctr("images", "import", "--snapshotter", "overlayfs", images);
    return lab;
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

export class Containerd implements AsyncDisposable {
  readonly dir: string;
  readonly criSocket: string;
  readonly nriSocket: string;
  readonly cdiDir: string;
  /** Where the netns files of pods are mounted. */
  readonly netnsDir: string;
  readonly logPath: string;
  /** Logs of containers. */
  readonly podLogDir: string;
  /** The cgroup of all its pods; nothing else uses it. */
  readonly cgroup: string;
  /** Debian's versions of what runs. */
  readonly versions: Readonly<Record<"containerd" | "cni" | "oci", string>>;
  readonly cri: GrpcClient;
  readonly #bin: string;
  readonly #removeDir: boolean;
  #process: Bun.Subprocess | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: {
    readonly bin: string;
    readonly dir: string;
    readonly removeDir: boolean;
    readonly versions: Containerd["versions"];
  }) {
    const paths = labPaths(options.dir);
    this.dir = options.dir;
    this.criSocket = paths.criSocket;
    this.nriSocket = paths.nriSocket;
    this.cdiDir = paths.cdi;
    this.netnsDir = paths.netns;
    this.logPath = paths.log;
    this.podLogDir = paths.logs;
    this.cgroup = `/${basename(options.dir)}`;
    this.versions = options.versions;
    this.cri = new GrpcClient(paths.criSocket, { waitForServer: true });
    this.#bin = options.bin;
    this.#removeDir = options.removeDir;
  }

  /** The process id; undefined while it is down. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts the process and waits until CRI and NRI answer. */
  async start(): Promise<void> {
    rmSync(this.nriSocket, { force: true }); // containerd leaves it behind when it ends
    const log = openSync(this.logPath, "a");
    try {
      const argv = ["setsid", join(this.#bin, "containerd"), "-c", labPaths(this.dir).config];
      const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
      this.#process = Bun.spawn(argv, { stdin: "ignore", stdout: log, stderr: log, env });
    } finally {
      closeSync(log);
    }
    const child = this.#process;
    await eventually(
      `containerd in ${this.dir} is up`,
      async () => {
        if (child.exitCode !== null) throw new Error(`containerd has ended with ${child.exitCode}:\n${this.logTail()}`);
        return existsSync(this.nriSocket) && existsSync(this.criSocket) && (await this.#answers());
      },
      START_LIMIT_MS,
    );
  }

  /** Runs containerd's own client, in the namespace of CRI. */
  ctr(...args: readonly string[]): Promise<string> {
    return command([join(this.#bin, "ctr"), "-a", this.criSocket, "-n", "k8s.io", ...args]);
  }

  /** Ends containerd, not its pods, and starts it again. */
  async restart(options: RestartOptions = {}): Promise<void> {
    await this.#end(options.signal ?? "SIGTERM");
    await options.meanwhile?.();
    await this.start();
  }

  /** Ends pods and containerd, and removes what they leave. Throws when something stays all the same. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<void> {
    const [sockets, sandboxes] = [shimSockets(this.dir), taskIds(this.dir)];
    if (this.#process?.exitCode === null) await this.#removePods();
    this.cri[Symbol.dispose]();
    await this.#end("SIGTERM");
    for (const pid of findProcesses(this.dir, this.cgroup)) process.kill(pid, "SIGKILL");
    await eventually(
      `the processes of ${this.dir} are gone`,
      () => findProcesses(this.dir, this.cgroup).length === 0,
      STOP_LIMIT_MS,
    );
    for (const socket of sockets) rmSync(socket, { force: true });
    await unmountAll(this.dir);
    removeCgroups(this.cgroup);
    for (const file of cniResults(sandboxes)) rmSync(file);
    const mounts = findMounts(this.dir);
    if (mounts.length > 0) throw new Error(`mounts of the lab are left: ${mounts.join(", ")}`);
    if (this.#removeDir) rmSync(this.dir, { recursive: true });
  }

  /** The last lines of containerd's log. */
  logTail(lines = 20): string {
    return readFileSync(this.logPath, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  }

  async #answers(): Promise<boolean> {
    try {
      const { status } = await this.cri.call(RuntimeService.method.status, {}, 1_000);
      const isReady = (type: string) => status?.conditions.some((at) => at.type === type && at.status) === true;
      return isReady("RuntimeReady") && isReady("NetworkReady"); // another one tells of deprecated settings
    } catch {
      return false; // not yet: the caller asks again until its limit
    }
  }

  /** The way of CRI, so that CNI takes its veth pairs and addresses back; what fails is killed by the caller. */
  async #removePods(): Promise<void> {
    const { listPodSandbox, stopPodSandbox, removePodSandbox } = RuntimeService.method;
    try {
      const { items } = await this.cri.call(listPodSandbox, {}, STOP_LIMIT_MS);
      for (const { id } of items) {
        await this.cri.call(stopPodSandbox, { podSandboxId: id }, STOP_LIMIT_MS);
        await this.cri.call(removePodSandbox, { podSandboxId: id }, STOP_LIMIT_MS);
      }
    } catch (error) {
      console.error(`lab: pods of ${this.dir} have to be killed: ${describeError(error)}`);
    }
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    child.kill(signal);
    const limit = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
    await child.exited;
    clearTimeout(limit);
    this.#process = undefined;
  }
}

/** Two labs get the same one of 16,384 rarely enough. */
function randomSubnet(): string {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint8Array(2));
  return `10.${128 + (high % 64)}.${low}.0/24`;
}
