/** Finds and ends what a containerd of the lab may leave behind, by the names that only this one uses. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";

/** The containerds and shims that name `dir` in their command line, and what runs in the cgroup `cgroup`. Never this one. */
export function findProcesses(dir: string, cgroup: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const arguments_ = readProc(pid, "cmdline").split("\0");
      const isContainerd = arguments_[0]?.includes("/containerd") === true;
      const isOurs = isContainerd && arguments_.some((at) => at.startsWith(`${dir}/`));
      return isOurs || readProc(pid, "cgroup").includes(`${cgroup}/`);
    })
    .map(Number);
}

/** The mounts below `dir`, innermost first. */
export function findMounts(dir: string): string[] {
  return readProc("self", "mounts")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${dir}/`))
    .reverse();
}

export async function unmountAll(dir: string): Promise<void> {
  for (const path of findMounts(dir)) await command(["umount", "-l", path]);
}

/** Removes the cgroup and its children from every hierarchy. Those that still hold a process stay. */
export function removeCgroups(cgroup: string): void {
  for (const hierarchy of ["", ...readdirSync("/sys/fs/cgroup")]) {
    removeTree(join("/sys/fs/cgroup", hierarchy, cgroup));
  }
}

/** The sockets of the shims that the containerd in `dir` knows: they stand in a folder that all containerds share. */
export function shimSockets(dir: string): string[] {
  const files = new Bun.Glob("state/io.containerd.runtime.v2.task/*/*/{bootstrap.json,address}");
  const paths = [...files.scanSync({ cwd: dir, absolute: true })].flatMap((file) => {
    const path = /unix:\/\/(\/run\/containerd\/s\/[0-9a-f]+)/.exec(readFileSync(file, "latin1"))?.[1];
    return path === undefined ? [] : [path];
  });
  return [...new Set(paths)]; // the containers of a pod share one shim
}

/** The ids of the tasks that the containerd in `dir` knows, those of sandboxes among them. */
export function taskIds(dir: string): string[] {
  const folder = join(dir, "state/io.containerd.runtime.v2.task/k8s.io");
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** CNI caches what it has set up for a sandbox, as NETWORK-SANDBOX-LINK in a folder that all runtimes share. */
export function cniResults(sandboxIds: readonly string[]): string[] {
  const folder = "/var/lib/cni/results";
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => sandboxIds.some((id) => name.includes(id)))
    .map((name) => join(folder, name));
}

/** `readdir` and `rmdir` fail alike on what is not a cgroup or no longer there: that is what is wanted. */
function removeTree(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(join(path, entry.name));
    }
    rmdirSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EBUSY") throw error;
  }
}

/** A process may end while it is looked at. */
function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
