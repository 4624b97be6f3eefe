/** `./dev vm`: one command in a machine of its own, for whoever wants to look around. */
import { parseArgs } from "node:util";
import type { KernelName } from "./kernel.ts";
import { startVm } from "./vm.ts";

const USAGE = `./dev vm [--kernel k73|k612] [--igb N] [--numa N] [--virtio N] [--iommu] [--append TEXT] -- COMMAND`;
const KERNELS: readonly string[] = ["k73", "k612"] satisfies KernelName[];
/** A command that somebody waits for at a terminal. */
const LIMIT_MS = 3_600_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernel: { type: "string", default: "k73" },
    igb: { type: "string", default: "0" },
    numa: { type: "string", default: "1" },
    virtio: { type: "string", default: "0" },
    iommu: { type: "boolean", default: false },
    append: { type: "string", default: "" },
  },
});
if (positionals.length === 0 || !KERNELS.includes(values.kernel)) {
  console.error(USAGE);
  process.exit(2);
}
const startedMs = performance.now();
await using vm = await startVm({
  kernel: values.kernel as KernelName,
  igb: Number(values.igb),
  numa: Number(values.numa),
  virtio: Number(values.virtio),
  iommu: values.iommu,
  kernelArguments: values.append,
});
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
console.error(`${vm.release} booted after ${seconds} s (${await vm.booted()} s by its own clock)`);
const { stdout, stderr, exitCode } = await vm.exec(positionals.join(" "), { limitMs: LIMIT_MS });
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = exitCode;
