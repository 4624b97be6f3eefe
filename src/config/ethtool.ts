/** `ethtool` of the configuration: the driver's settings, in ethtool's own words. */

import { z } from "zod";
import { flag, optional, wholeNumber } from "./fields.ts";

export interface EthtoolConfig {
  /** By the names of `ethtool -k`. */
  readonly features?: Readonly<Record<string, boolean>>;
  readonly privateFlags?: Readonly<Record<string, boolean>>;
  readonly rings?: Readonly<Record<string, number>>;
  readonly channels?: Readonly<Record<string, number>>;
  readonly coalesce?: Readonly<Record<string, number | boolean>>;
}

/** ETH_GSTRING_LEN (linux/ethtool.h) counts the final zero byte. */
const MAX_NAME_BYTES = 31;
const MAX_UINT32 = 0xffff_ffff;

const name = z.string().superRefine((given, context) => {
  if (given !== "" && Buffer.byteLength(given) <= MAX_NAME_BYTES) return;
  context.addIssue({
    code: "custom",
    message: `${JSON.stringify(given)} is not a name of 1 to ${MAX_NAME_BYTES} bytes`,
  });
});
const switches = optional(z.record(name, flag));
const size = optional(wholeNumber(1, MAX_UINT32));
const count = optional(wholeNumber(0, MAX_UINT32));

export const ethtoolSchema = z.strictObject({
  features: switches,
  privateFlags: switches,
  rings: optional(z.strictObject({ rx: size, rxMini: size, rxJumbo: size, tx: size })),
  channels: optional(z.strictObject({ rx: count, tx: count, other: count, combined: count })),
  coalesce: optional(
    z.strictObject({
      adaptiveRx: optional(flag),
      adaptiveTx: optional(flag),
      rxUsecs: count,
      rxFrames: count,
      txUsecs: count,
      txFrames: count,
    }),
  ),
});
