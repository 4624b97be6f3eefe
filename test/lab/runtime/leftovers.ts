/** Finds and ends what a containerd of the lab may leave behind, by the names that only this one uses. */
import { readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";

/** The processes that name `dir` in their command line or run in the cgroup `cgroup`. Never this one. */
export function findProcesses(dir: string, cgroup: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const arguments_ = readProc(pid, "cmdline").split("\0");
      const isShim = arguments_[0]?.includes("containerd-shim") === true && arguments_.some((at) => at.startsWith(dir));
      return isShim || readProc(pid, "cgroup").includes(`${cgroup}/`);
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
