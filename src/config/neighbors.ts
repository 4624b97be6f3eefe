/** `neighbors[]` of the configuration: permanent neighbour entries of the link in the pod. */

import { z } from "zod";
import { hardwareAddressText, ipText } from "./fields.ts";

export interface NeighborConfig {
  readonly destination: string;
  readonly hardwareAddr: string;
}

export const neighborSchema = z.strictObject({ destination: ipText, hardwareAddr: hardwareAddressText });
