/** Settings of the whole kernel that a kubelet and CNI plugins change, and that the lab puts back. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** kubelet: container_manager_linux.go, setupKernelTunables; CNI's ptp: forwarding. */
const NAMES = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
  "net/ipv4/ip_forward",
  "net/ipv6/conf/all/forwarding",
];

export type Tunables = Readonly<Record<string, string>>;

export function readTunables(root = "/proc/sys"): Tunables {
  const there = NAMES.filter((name) => existsSync(join(root, name)));
  return Object.fromEntries(there.map((name) => [name, readFileSync(join(root, name), "utf8").trim()]));
}

/** Writes those that differ. */
export function restoreTunables(before: Tunables, root = "/proc/sys"): void {
  const now = readTunables(root);
  for (const [name, value] of Object.entries(before)) {
    if (now[name] !== value) writeFileSync(join(root, name), value);
  }
}
