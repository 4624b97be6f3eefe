import { createHash } from "node:crypto";

/**
 * The UID of a claim whose file gives none: the same for the same namespace and name, so that what was stored for it is
 * found again after a restart. A UUID of version 8 (RFC 9562, section 5.8), its bits taken from SHA-256.
 */
export function claimUid(namespace: string, name: string): string {
  const bytes = createHash("sha256").update(`netferry.dev/claim/${namespace}/${name}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
