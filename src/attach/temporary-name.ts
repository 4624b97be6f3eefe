import { createHash } from "node:crypto";
import { type DeviceKey, keyText } from "../claims/record.ts";

const PREFIX = "nf";
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * The name under which a link travels: the same after every crash, and free in any namespace, because 60 bits of the
 * claim's identity are in it. 14 characters; IFNAMSIZ leaves 15.
 */
export function temporaryName(key: DeviceKey): string {
  const digest = createHash("sha256").update(keyText(key)).digest();
  return PREFIX + Array.from(digest.subarray(0, 12), (byte) => BASE32[byte & 31]).join("");
}
