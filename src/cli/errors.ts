import { ConfigError, describeError } from "../lib/errors.ts";

/** What a command ends with: 0 it did what was asked, 1 it failed, 2 it was asked wrongly. */
export type ExitCode = 0 | 1 | 2;

/** One line on stderr for whoever typed the command, and the exit code. */
export function reportError(error: unknown): ExitCode {
  console.error(`netferry: ${describeError(error)}`);
  return error instanceof ConfigError ? 2 : 1;
}
