/** Attribute strings may have 64 bytes of UTF-8 (resource.k8s.io/v1 DeviceAttributeMaxValueLength); one longer value has a whole slice rejected. */

export const MAX_ATTRIBUTE_BYTES = 64;

/** The text, cut between two code points so that it fits. Halves of surrogate pairs become U+FFFD, as UTF-8 has none. */
export function clampText(text: string, maxBytes: number = MAX_ATTRIBUTE_BYTES): string {
  const whole = text.toWellFormed();
  // No code unit takes more than three bytes.
  if (whole.length * 3 <= maxBytes) return whole;
  if (Buffer.byteLength(whole) <= maxBytes) return whole;
  let kept = "";
  let bytes = 0;
  for (const character of whole) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return kept;
}

/** The entries, once each and sorted as text, joined by commas; entries at the end that do not fit are dropped whole. */
export function joinEntries(entries: readonly string[], maxBytes: number = MAX_ATTRIBUTE_BYTES): string {
  if (entries.length === 0) return "";
  let joined = "";
  for (const entry of [...new Set(entries)].sort()) {
    const longer = joined === "" ? entry : `${joined},${entry}`;
    if (Buffer.byteLength(longer) > maxBytes) break;
    joined = longer;
  }
  return joined;
}
