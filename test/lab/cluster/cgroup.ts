/**
 * The control group of one cluster: every process of it, and all that those start, is found there and nowhere else.
 * `/NAME/parts` holds the programs of the cluster, `/NAME/kubepods` is the kubelet's.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isThere, type ProcessId, processId } from "./process-id.ts";
import { until } from "./wait.ts";

const ROOT = "/sys/fs/cgroup";
const KILL_LIMIT_MS = 20_000;

export class ClusterCgroup {
  /** As the kubelet wants it: `/netferry-cluster-abc`. */
  readonly path: string;
  /** Those in which the cluster has its group. */
  readonly #hierarchies: readonly string[];
  /** Where low-level runtimes make groups all the same: version 2 beside version 1. */
  readonly #others: readonly string[];

  constructor(name: string) {
    this.path = `/${name}`;
    const mounts = cgroupMounts();
    this.#hierarchies = mounts.filter(({ type, path }) => type === "cgroup" || path === ROOT).map(({ path }) => path);
    this.#others = mounts.map(({ path }) => path).filter((path) => !this.#hierarchies.includes(path));
  }

  /** Where a process writes its id in order to belong to the cluster. */
  get partsFile(): string {
    return join(this.#tracking, "parts/cgroup.procs");
  }

  /** The hierarchy by which processes are found: of version 1, one that every machine with pods has. */
  get #tracking(): string {
    const found = this.#hierarchies.find((root) => root.endsWith("/pids")) ?? this.#hierarchies[0] ?? ROOT;
    return join(found, this.path);
  }

  create(): void {
    for (const root of this.#hierarchies) {
      if (existsSync(join(root, "cgroup.subtree_control"))) delegateControllers(root);
      mkdirSync(join(root, this.path), { recursive: true });
      inheritCpuset(root, join(root, this.path));
    }
    mkdirSync(join(this.#tracking, "parts"), { recursive: true });
  }

  /** The folders that exist of it, of all hierarchies. */
  folders(): string[] {
    return [...this.#hierarchies, ...this.#others]
      .map((root) => join(root, this.path))
      .filter((path) => existsSync(path));
  }

  /** All processes, those of pods too. */
  pids(): number[] {
    return pidsBelow(this.#tracking);
  }

  /** Ends all processes and waits until they are gone, and those who should collect them have done so. */
  async kill(): Promise<void> {
    const killed = new Map<number, ProcessId>();
    const gone = () => {
      const left = this.pids();
      for (const pid of left) {
        killed.set(pid, processId(pid));
        kill(pid);
      }
      return left.length === 0 && ![...killed.values()].some(isThere);
    };
    await until(`the processes of ${this.path} are gone`, gone, KILL_LIMIT_MS);
  }

  /** Once it has no process left. The kernel lets go of a group a moment after its last process. */
  async remove(): Promise<void> {
    for (const root of [...this.#hierarchies, ...this.#others]) {
      await until(`${root}${this.path} is removed`, () => removeTree(join(root, this.path)), KILL_LIMIT_MS);
    }
  }
}

interface CgroupMount {
  readonly path: string;
  /** `cgroup` is version 1, `cgroup2` version 2. */
  readonly type: string;
}

function cgroupMounts(): CgroupMount[] {
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return lines.flatMap((line) => {
    const [, path = "", type = ""] = line.split(" ");
    return type === "cgroup" || type === "cgroup2" ? [{ path, type }] : [];
  });
}

/** Version 2: children have only the controllers that the parent gives them. */
function delegateControllers(root: string): void {
  const controllers = readFileSync(join(root, "cgroup.controllers"), "utf8").trim().split(" ");
  const all = controllers.filter((name) => name !== "").map((name) => `+${name}`);
  writeFileSync(join(root, "cgroup.subtree_control"), all.join(" "));
}

/** Version 1: a new cpuset is empty, and takes no process before it is filled. */
function inheritCpuset(root: string, path: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if (!existsSync(join(root, "cgroup.subtree_control")) && existsSync(join(path, file))) {
      writeFileSync(join(path, file), readFileSync(join(root, file), "utf8").trim());
    }
  }
}

function pidsBelow(path: string): number[] {
  if (!existsSync(path)) return [];
  const own = readFileSync(join(path, "cgroup.procs"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const children = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  // A process of a namespace that is not ours shows as 0, which kill(2) would take for our own group.
  const pids = own.map(Number).filter((pid) => pid > 0);
  return [...pids, ...children.flatMap(({ name }) => pidsBelow(join(path, name)))];
}

/** False while something still holds it. */
function removeTree(path: string): boolean {
  if (!existsSync(path)) return true;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  }
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    throw error;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it ended by itself
  }
}
