import { basename } from "node:path";
import { ConfigError } from "../lib/errors.ts";
import type { ExitCode } from "./errors.ts";

const NAME = "dranet-hook";

/** Was the executable called by the second name that it has in the image? `argv0` is as the caller wrote it. */
export function isDranetHook(argv0: string): boolean {
  return basename(argv0) === NAME;
}

/**
 * DRANET's manifest has an init container that puts DRANET's OCI hook on the host. netferry needs none there, and with
 * this answer the manifest works unchanged. Throws a ConfigError for anything but `install DIR`.
 */
export function dranetHook(argv: readonly string[]): ExitCode {
  const [verb, directory, ...surplus] = argv;
  if (verb !== "install" || directory === undefined || surplus.length > 0)
    throw new ConfigError(
      [NAME, ...argv].join(" "),
      `is not served: of ${NAME} netferry knows only "${NAME} install DIR"; it adds no hook to containers`,
    );
  console.log(
    `netferry installs no hook in ${directory}, and changes nothing there: a container that claims a device waits for it by the runtime's CDI directory and by NRI.`,
  );
  return 0;
}
