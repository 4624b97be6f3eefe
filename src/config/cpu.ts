/** `cpu` of the configuration: where the containers that use the device run. */

import { z } from "zod";
import { optionalText } from "./fields.ts";

export interface CpuConfig {
  /** Absent: wherever they may. */
  readonly align?: "numa";
}

export const cpuSchema = z.strictObject({ align: optionalText(z.enum(["numa"])) });
