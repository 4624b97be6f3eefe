import { parseCommandLine } from "../config/flags.ts";
import type { StartKernelOptions } from "../kernel/client.ts";
import { versionText } from "../lib/version.ts";
import { dranetHook, isDranetHook } from "./dranet-hook.ts";
import { type ExitCode, reportError } from "./errors.ts";

/** Runs one command. Whatever it throws is said in one line. */
export async function main(
  argv: readonly string[],
  createWorker: StartKernelOptions["createWorker"],
): Promise<ExitCode> {
  try {
    if (isDranetHook(process.argv0)) return dranetHook(argv);
    const line = parseCommandLine(argv);
    switch (line.command) {
      case "help":
        process.stdout.write(line.text);
        return 0;
      case "version":
        console.log(versionText());
        return 0;
      case "devices": {
        for (const warning of line.warnings) console.error(`netferry: ${warning}`);
        const { devices } = await import("./devices.ts");
        process.stdout.write(await devices(line.config, line.output, createWorker));
        return 0;
      }
      case "validate": {
        const { validate } = await import("./validate.ts");
        return await validate(line.files, line.output, line.config);
      }
      case "run": {
        const { run } = await import("./run.ts");
        await run(line.config, line.warnings, createWorker);
        return 0;
      }
      case "demo": {
        const { demo } = await import("../demo/demo.ts");
        return await demo(line.config, createWorker);
      }
    }
  } catch (error) {
    return reportError(error);
  }
}
