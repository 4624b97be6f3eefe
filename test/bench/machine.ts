/** What the figures were measured on. */

import { readFileSync } from "node:fs";
import { availableParallelism, loadavg, release, totalmem } from "node:os";

export function machine(): string {
  const model = /^model name\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? process.arch;
  const isVirtual = readFileSync("/proc/cpuinfo", "utf8").includes("hypervisor");
  const memory = `${Math.round(totalmem() / 1e9)} GB of memory`;
  const cores = `${availableParallelism()} cores${isVirtual ? " of a virtual machine" : ""}`;
  return `${model}, ${cores}, ${memory}, Linux ${release()}, Bun ${Bun.version}`;
}

/** Others' work on the machine shows in every figure; the mean number of running tasks over the last minute. */
export function load(): number {
  return loadavg()[0] ?? 0;
}
