/** What a cluster has on this machine while it runs, and what of it is still there later. Neighbours do not count. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Cluster } from "../lab/cluster/cluster.ts";
import { isThere, type ProcessId, processId } from "../lab/cluster/process-id.ts";
import { readTunables, type Tunables } from "../lab/cluster/tunables.ts";

export interface Traces {
  readonly dir: string;
  readonly processes: readonly ProcessId[];
  /** Clock ticks since boot. A process that started later and shares an id of these traces is a neighbour's. */
  readonly takenAt: number;
  /** `mnt:[4026532177]` and `net:[…]`, those of the host left out. The kernel gives their ids again. */
  readonly namespaces: readonly string[];
  /** By index: a name may be given again. */
  readonly links: readonly number[];
  readonly cgroups: readonly string[];
  readonly addresses: readonly string[];
}

/** USER_HZ, the same on every architecture. */
const TICKS_PER_SECOND = 100;

/** Folders of the host that a kubelet, containerd or CNI makes where nobody stops it. */
const HOST_FOLDERS = [
  "/var/lib/kubelet",
  "/var/lib/containerd",
  "/var/lib/cni",
  "/var/log/pods",
  "/var/log/containers",
  "/run/containerd/containerd.sock",
  "/run/nri",
  "/run/cdi",
  "/etc/kubernetes",
  "/etc/cni",
  "/opt/cni",
  "/usr/libexec/kubernetes",
];

export interface HostBefore {
  readonly folders: readonly string[];
  readonly tunables: Tunables;
}

export function hostBefore(): HostBefore {
  return { folders: HOST_FOLDERS.filter((path) => existsSync(path)), tunables: readTunables() };
}

export function tracesOf(cluster: Cluster): Traces {
  const pids = cluster.cgroup.pids();
  const host = namespacesOf("self");
  const namespaces = new Set(pids.flatMap((pid) => namespacesOf(String(pid))).filter((name) => !host.includes(name)));
  const routes = json<{ dev: string }>("ip", "-j", "route", "show", "root", cluster.podSubnet);
  const links = json<{ ifname: string; ifindex: number }>("ip", "-j", "link", "show");
  return {
    dir: cluster.dir,
    processes: pids.map(processId),
    takenAt: Math.floor(Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * TICKS_PER_SECOND),
    namespaces: [...namespaces],
    links: links.filter(({ ifname }) => routes.some(({ dev }) => dev === ifname)).map(({ ifindex }) => ifindex),
    cgroups: cluster.cgroup.folders(),
    addresses: cluster.addresses,
  };
}

/** A line for each thing that is still there. */
export function leftOf(traces: Traces, before: HostBefore): string[] {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const links = json<{ ifindex: number; ifname: string }>("ip", "-j", "link", "show");
  const addresses = json<{ addr_info: { local: string }[] }>("ip", "-j", "address", "show", "dev", "lo");
  const now = hostBefore();
  const left: Readonly<Record<string, readonly string[]>> = {
    process: traces.processes.filter(isThere).map(({ pid }) => String(pid)),
    "process in a namespace": processes
      .filter((pid) => namespacesOf(pid).some((name) => traces.namespaces.includes(name)))
      .filter((pid) => Number(processId(Number(pid)).startTime) <= traces.takenAt),
    mount: mounts.filter((line) => line.includes(traces.dir)),
    link: links.filter(({ ifindex }) => traces.links.includes(ifindex)).map(({ ifname }) => ifname),
    cgroup: traces.cgroups.filter((path) => existsSync(path)),
    address: addresses
      .flatMap(({ addr_info }) => addr_info.map(({ local }) => local))
      .filter((address) => traces.addresses.includes(address)),
    folder: [traces.dir, ...now.folders.filter((path) => !before.folders.includes(path))].filter((path) =>
      existsSync(path),
    ),
    "kernel setting": Object.entries(now.tunables)
      .filter(([name, value]) => before.tunables[name] !== value)
      .map(([name, value]) => `${name}=${value}`),
  };
  return Object.entries(left).flatMap(([what, all]) => all.map((one) => `${what} ${one}`));
}

function namespacesOf(pid: string): string[] {
  return ["mnt", "net"].flatMap((kind) => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/${kind}`)];
    } catch {
      return []; // it ended while we looked
    }
  });
}

function json<T>(...argv: readonly string[]): T[] {
  const result = Bun.spawnSync([...argv]);
  if (!result.success) throw new Error(`${argv.join(" ")}: ${result.stderr.toString().trim()}`);
  const text = result.stdout.toString().trim();
  return text === "" ? [] : (JSON.parse(text) as T[]);
}
