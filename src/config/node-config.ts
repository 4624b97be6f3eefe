/** `--node-config FILE`: what netferry is to do to the node itself, beside claims. YAML. */

import { z } from "zod";
import { ConfigError } from "../lib/errors.ts";
import { wholeNumber } from "./fields.ts";
import { configError } from "./network-config.ts";
import { readYaml } from "./yaml-documents.ts";
import { problemsOf } from "./zod-problems.ts";

export interface SriovConfig {
  /** Name of its link, or its PCI address. */
  readonly pf: string;
  readonly numVFs: number;
}

export interface NodeConfig {
  readonly sriov: readonly SriovConfig[];
}

/** sriov_numvfs is a u16. */
const MAX_VFS = 0xffff;

const schema = z.strictObject({
  sriov: z
    .array(z.strictObject({ pf: z.string().min(1, "names no PF"), numVFs: wholeNumber(0, MAX_VFS) }))
    .refine((entries) => new Set(entries.map(({ pf }) => pf)).size === entries.length, "names a PF twice")
    .default([]),
});

/** `where` names the file in the ConfigError, which lists all problems. */
export function parseNodeConfig(text: string, where: string): NodeConfig {
  const { documents, broken } = readYaml(text);
  const [problem] = broken;
  if (problem !== undefined) throw new ConfigError(`${where}:${problem.line}`, problem.problem);
  if (documents.length > 1) throw new ConfigError(where, "holds more than one document");
  const [document] = documents;
  const [duplicate] = document?.duplicates ?? [];
  if (duplicate !== undefined) throw new ConfigError(where, `${duplicate.join(".")} is given twice`);
  const value = document?.value ?? {};
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw configError(
      where,
      problemsOf(parsed.error, value, () => "is no field of the node's configuration"),
    );
  return parsed.data;
}
