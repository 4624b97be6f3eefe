/** IP addresses, prefixes and hardware addresses as users write them → the one form that the kernel's tools print. */

import { isIPv4, isIPv6 } from "node:net";

export type Family = "ipv4" | "ipv6";

export interface Ip {
  readonly family: Family;
  /** Canonical text: dotted quad, or RFC 5952. */
  readonly text: string;
}

export interface Prefix extends Ip {
  readonly length: number;
  /** `text/length` with the host's bits kept. */
  readonly cidr: string;
  /** With the host's bits cleared: what the kernel wants as a route's destination. */
  readonly network: string;
}

/** No zone, no IPv4-mapped IPv6 address: the kernel would refuse either. */
export function parseIp(text: string): Ip | undefined {
  const bytes = parseBytes(text);
  return bytes && { family: familyOfBytes(bytes), text: formatBytes(bytes) };
}

/** `address/length`, both needed. */
export function parsePrefix(text: string): Prefix | undefined {
  const [address = "", lengthText = "", ...more] = text.split("/");
  const bytes = parseBytes(address);
  const length = Number(lengthText);
  if (bytes === undefined || more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(lengthText) || length > bytes.length * 8) {
    return undefined;
  }
  const canonical = formatBytes(bytes);
  const network = bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - i * 8))) & 0xff);
  return {
    family: familyOfBytes(bytes),
    text: canonical,
    length,
    cidr: `${canonical}/${length}`,
    network: `${formatBytes(network)}/${length}`,
  };
}

/** As Go's net.ParseMAC: 6, 8 or 20 bytes, written with `:`, `-` or in dotted groups of four digits. */
export function parseHardwareAddress(text: string): string | undefined {
  const pairs = /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2})*$/i.test(text);
  const groups = /^[0-9a-f]{4}(?:\.[0-9a-f]{4})+$/i.test(text);
  if (!pairs && !groups) return undefined;
  const digits = text.replace(/[:.-]/g, "").toLowerCase();
  return [6, 8, 20].includes(digits.length / 2) ? digits.replace(/(..)(?=.)/g, "$1:") : undefined;
}

function parseBytes(text: string): number[] | undefined {
  if (isIPv4(text)) return text.split(".").map(Number);
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const [head = "", tail] = text.split("::");
  const left = groupBytes(head);
  const right = tail === undefined ? [] : groupBytes(tail);
  const bytes = [...left, ...new Array<number>(16 - left.length - right.length).fill(0), ...right];
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? undefined : bytes;
}

/** Bytes of the groups of one side of `::`; the last group may be a dotted quad. */
function groupBytes(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function familyOfBytes(bytes: readonly number[]): Family {
  return bytes.length === 4 ? "ipv4" : "ipv6";
}

/** RFC 5952: lower case, the longest run of two or more zero groups (the first of equals) as `::`. */
function formatBytes(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  let best = { at: 0, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (groups[at + length] === "0") length++;
    if (length > best.length) best = { at, length };
  }
  if (best.length < 2) return groups.join(":");
  return `${groups.slice(0, best.at).join(":")}::${groups.slice(best.at + best.length).join(":")}`;
}

/** The address as a number, for arithmetic in a range. */
export function ipNumber(text: string): bigint | undefined {
  return parseBytes(text)?.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

export function ipOfNumber(family: Family, value: bigint): string {
  const length = family === "ipv4" ? 4 : 16;
  return formatBytes(Array.from({ length }, (_, at) => Number((value >> BigInt(8 * (length - 1 - at))) & 0xffn)));
}

/** The family of an address or prefix, or `undefined` where it is neither (another problem, reported elsewhere). */
export function familyOf(value: unknown): Family | undefined {
  if (typeof value !== "string") return undefined;
  return (parseIp(value) ?? parsePrefix(value))?.family;
}
