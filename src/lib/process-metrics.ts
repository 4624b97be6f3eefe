/** The `process_*` metrics that every Prometheus client exports, read from procfs at the moment of the scrape. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Registry } from "prom-client";
import Gauge from "prom-client/lib/gauge.js";

export function addProcessMetrics(registry: Registry, processRoot: string): void {
  const startedSeconds = (Date.now() - performance.now()) / 1000;
  const values: Readonly<Record<string, readonly [help: string, read: () => number | undefined]>> = {
    process_resident_memory_bytes: ["Resident memory size in bytes.", () => statusBytes(processRoot, "VmRSS")],
    process_anonymous_memory_bytes: ["Anonymous resident memory in bytes.", () => statusBytes(processRoot, "RssAnon")],
    process_open_fds: ["Number of open file descriptors.", () => readdirSync(join(processRoot, "fd")).length],
    process_cpu_seconds_total: ["Total user and system CPU time spent in seconds.", cpuSeconds],
    process_start_time_seconds: ["Start time of the process since unix epoch in seconds.", () => startedSeconds],
  };
  for (const [name, [help, read]] of Object.entries(values)) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        const value = read();
        if (value !== undefined) this.set(value);
      },
    });
  }
}

/** A line of `/proc/<pid>/status`, which the kernel gives in KiB. */
function statusBytes(processRoot: string, field: string): number | undefined {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(join(processRoot, "status"), "utf8"));
  return found?.[1] === undefined ? undefined : Number(found[1]) * 1024;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
