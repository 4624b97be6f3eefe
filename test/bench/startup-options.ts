import { parseArgs } from "node:util";

export interface StartupOptions {
  /** Of each arm. */
  readonly pods: number;
  readonly idleSeconds: number;
  readonly hasDranet: boolean;
  readonly writes: boolean;
}

/** Throws an error that says what is wrong with the arguments. */
export function startupOptions(args: readonly string[]): StartupOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      pods: { type: "string", default: "100" },
      idle: { type: "string", default: "600" },
      "without-dranet": { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  return {
    pods: numberOf("pods", values.pods),
    idleSeconds: numberOf("idle", values.idle),
    hasDranet: !values["without-dranet"],
    writes: values.write,
  };
}

function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${option} is a whole number above 0, not ${text}.`);
  return value;
}
