import { runAgent } from "../agent.ts";
import type { Config } from "../config/flags.ts";
import type { CreateWorker } from "../kernel/client.ts";
import { createLogger } from "../lib/log.ts";
import { stopSignal } from "./stop-signal.ts";
import { version } from "../lib/version.ts";

/** From this klog level on each message is logged. */
const DEBUG_VERBOSITY = 4;

export async function run(config: Config, warnings: readonly string[], createWorker: CreateWorker): Promise<void> {
  const log = createLogger({
    level: config.verbosity >= DEBUG_VERBOSITY ? "debug" : "info",
    write: (line) => process.stderr.write(line),
  });
  for (const warning of warnings) log.warn(warning);
  await runAgent(config, { createWorker, version, log }, stopSignal());
}
