import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The kernel's id of this boot (Documentation/admin-guide/sysctl/kernel.rst, random/boot_id). */
export function bootId(procRoot: string): string {
  return readFileSync(join(procRoot, "sys/kernel/random/boot_id"), "utf8").trim();
}
