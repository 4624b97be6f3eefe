import { runAgent } from "../agent.ts";
import type { Config } from "../config/flags.ts";
import type { StartKernelOptions } from "../kernel/client.ts";
import { createLogger } from "../lib/log.ts";
import { version } from "../lib/version.ts";
import { stopSignal } from "./stop-signal.ts";

/** From this klog level on each message is logged. */
const DEBUG_VERBOSITY = 4;

export async function run(
  config: Config,
  warnings: readonly string[],
  createWorker: StartKernelOptions["createWorker"],
): Promise<void> {
  const log = createLogger({
    level: config.verbosity >= DEBUG_VERBOSITY ? "debug" : "info",
    write: (line) => process.stderr.write(line),
  });
  for (const warning of warnings) log.warn(warning);
  await runAgent(config, { createWorker, version, log }, stopSignal());
}
