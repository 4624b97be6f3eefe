/** Processes of others by id and start time, which no later process of the same id shares. */
import { readFileSync } from "node:fs";

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot; field 22 of /proc/PID/stat. Empty when it had ended already. */
  readonly startTime: string;
}

export function processId(pid: number): ProcessId {
  return { pid, startTime: readStat(pid)?.startTime ?? "" };
}

/** Does it run? One that has ended and that nobody has collected does not. */
export function isAlive(id: ProcessId): boolean {
  const stat = readStat(id.pid);
  return stat?.startTime === id.startTime && stat.state !== "Z";
}

/** Does it run, or wait to be collected? */
export function isThere(id: ProcessId): boolean {
  return readStat(id.pid)?.startTime === id.startTime;
}

function readStat(pid: number): { readonly state: string; readonly startTime: string } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
  // The name before may hold spaces and brackets: count from its end, where field 3 (the state) follows.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", startTime: fields[19] ?? "" };
}
