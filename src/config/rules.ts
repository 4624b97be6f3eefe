/** `rules[]` of the configuration: policy routing rules of the pod. */

import { z } from "zod";
import { always, networkText, optional, optionalText, routingTable, sameFamily, wholeNumber } from "./fields.ts";

export interface RuleConfig {
  readonly priority?: number;
  readonly table?: number;
  /** Networks; a rule with neither is for all traffic. */
  readonly source?: string;
  readonly destination?: string;
}

/** Behind it stand the kernel's own rules for main (32766) and default (32767). */
const MAX_PRIORITY = 32767;

export const ruleSchema = z
  .strictObject({
    priority: optional(wholeNumber(0, MAX_PRIORITY)),
    table: optional(routingTable),
    source: optionalText(networkText),
    destination: optionalText(networkText),
  })
  .refine((rule) => sameFamily(rule.source, rule.destination), {
    path: ["destination"],
    when: always,
    error: "must be of the source's family",
  });
