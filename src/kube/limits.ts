/** What the API server accepts in a ResourceSlice. Source: kubernetes/api `resource/v1/types.go` and its validation. */

export const MAX_DEVICES_PER_SLICE = 128;
/** In a slice with a device that has taints, counters or a list-valued attribute. */
export const MAX_RICH_DEVICES_PER_SLICE = 64;
/** Attributes and capacities together. */
export const MAX_ATTRIBUTES_PER_DEVICE = 32;
/** Of all attributes together, those of lists each (1.36 and later). */
export const MAX_VALUES_PER_DEVICE = 48;
/** UTF-8 bytes, not characters. */
export const MAX_VALUE_BYTES = 64;
const MAX_ID_LENGTH = 32;
const MAX_DOMAIN_LENGTH = 63;

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Semantic Versioning 2.0.0. */
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

/** A DNS-1123 label, as device names must be. */
export function isLabel(text: string): boolean {
  return LABEL.test(text);
}

/** `[domain/]id` */
export function isAttributeName(name: string): boolean {
  const slash = name.indexOf("/");
  const id = name.slice(slash + 1);
  if (!C_IDENTIFIER.test(id) || id.length > MAX_ID_LENGTH) return false;
  if (slash < 0) return true;
  const domain = name.slice(0, slash);
  return SUBDOMAIN.test(domain) && domain.length <= MAX_DOMAIN_LENGTH;
}

export function isVersion(text: string): boolean {
  return SEMVER.test(text) && text.length <= MAX_VALUE_BYTES;
}

/** The longest beginning of `text` that fits `maxBytes` of UTF-8 without cutting a character in two. */
export function clampUtf8(text: string, maxBytes: number = MAX_VALUE_BYTES): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return text.slice(0, read);
}
