/** Building blocks of the configuration's schema. */

import { z } from "zod";
import { familyOf, parseHardwareAddress, parseIp, parsePrefix } from "./ip.ts";

/** Go's decoder takes null for "not given", so manifests written for DRANET may hold it. */
export function optional<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => value ?? undefined, schema.optional()).optional();
}

/** The same for text where DRANET takes the empty string for "not given". */
export function optionalText<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => (value === null || value === "" ? undefined : value), schema.optional()).optional();
}

/** Text that `read` turns into its canonical form, or refuses: then `expected` says what it should be. */
function text(read: (text: string) => string | undefined, expected: string) {
  return z
    .string()
    .meta({ expects: expected })
    .transform((given, context) => {
      const canonical = read(given);
      if (canonical !== undefined) return canonical;
      context.issues.push({ code: "custom", input: given, message: `${JSON.stringify(given)} is not ${expected}` });
      return z.NEVER;
    });
}

export const ipText = text((given) => parseIp(given)?.text, "an IP address");
export const cidrText = text(
  (given) => parsePrefix(given)?.cidr,
  "an address with its prefix length, as 10.0.0.5/24 or fd00::5/64",
);
/** The host's bits are cleared, as Go's ParseCIDR does and as the kernel wants it. */
export const networkText = text(
  (given) => parsePrefix(given)?.network,
  "a network with its prefix length, as 10.0.0.0/8 or ::/0",
);
export const hardwareAddressText = text(
  parseHardwareAddress,
  "a hardware address of 6, 8 or 20 bytes, as 02:00:5e:10:00:01",
);

/** A whole number within the limits, both included. */
export function wholeNumber(least: number, most: number) {
  return z
    .number()
    .refine((value) => Number.isInteger(value) && value >= least && value <= most, {
      error: ({ input }) => `${input} is not a whole number between ${least} and ${most}`,
    })
    .meta({ type: "integer", minimum: least, maximum: most });
}

/** One of a few numbers. */
export function wholeNumberOf(...numbers: readonly number[]) {
  return z
    .number()
    .refine((value) => numbers.includes(value), {
      error: ({ input }) => `${input} is not one of ${numbers.join(", ")}`,
    })
    .meta({ type: "integer", enum: [...numbers] });
}

export const positiveInt32 = wholeNumber(1, 0x7fff_ffff);

export const flag = z.boolean();

/** A routing table; the kernel's numbers have 32 bits, 0 means main. */
export const routingTable = wholeNumber(0, 0xffff_ffff);

/** True unless both are addresses or prefixes of different families. */
export function sameFamily(left: unknown, right: unknown): boolean {
  const families = [familyOf(left), familyOf(right)];
  return families.includes(undefined) || families[0] === families[1];
}

/** When a refinement that looks at several fields runs: though one of them has a problem, so that all are reported. */
export function always({ value }: { value: unknown }): boolean {
  return typeof value === "object" && value !== null;
}
