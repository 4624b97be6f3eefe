/** IP and hardware addresses: the kernel's bytes and people's text. */

import { ProtocolError } from "../lib/errors.ts";
import { AF_INET, AF_INET6 } from "./constants.ts";

export type IpFamily = "ipv4" | "ipv6";

export const FAMILY_NUMBER: Readonly<Record<IpFamily, number>> = { ipv4: AF_INET, ipv6: AF_INET6 };

/** `undefined` for families that are not IP. */
export function familyOf(number: number): IpFamily | undefined {
  return number === AF_INET ? "ipv4" : number === AF_INET6 ? "ipv6" : undefined;
}

export function addressBits(family: IpFamily): number {
  return family === "ipv4" ? 32 : 128;
}

/** Four or sixteen bytes as canonical text (RFC 5952). Throws ProtocolError on another length. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) throw new ProtocolError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  if (isMappedIpv4(groups)) return `::ffff:${bytes.subarray(12).join(".")}`;
  const zeros = longestZeros(groups);
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (zeros.length < 2) return hex(groups);
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`;
}

/** Throws ProtocolError when the bytes are not as many as the family has. */
export function formatIpOf(family: IpFamily, bytes: Uint8Array): string {
  if (bytes.length * 8 !== addressBits(family))
    throw new ProtocolError(`${bytes.length} bytes are no ${family} address`);
  return formatIp(bytes);
}

function isMappedIpv4(groups: readonly number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
}

function longestZeros(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** Throws ProtocolError when the text is not an address of this family. */
export function parseIp(family: IpFamily, text: string): Uint8Array {
  const bytes = family === "ipv4" ? parseIpv4(text) : parseIpv6(text);
  if (bytes === undefined) throw new ProtocolError(`${JSON.stringify(text)} is not an ${family} address`);
  return bytes;
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, at) => parseGroups(half, at === halves.length - 1));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...(tail ?? [])];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Groups of 16 bits; the last two of an address may be written as an IPv4 one. */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [at, part] of parts.entries()) {
    const ipv4 = isEnd && at === parts.length - 1 && part.includes(".") ? parseIpv4(part) : undefined;
    if (ipv4 !== undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = ipv4;
      groups.push((a << 8) | b, (c << 8) | d);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/** `10.0.0.0/8` of a header's prefix length and an attribute that is absent for the all-zero address. */
export function formatPrefix(family: IpFamily, bytes: Uint8Array | undefined, length: number): string {
  if (length > addressBits(family)) throw new ProtocolError(`${family} has no prefix length ${length}`);
  const address = bytes === undefined || length === 0 ? new Uint8Array(addressBits(family) / 8) : bytes;
  return `${formatIpOf(family, address)}/${length}`;
}

export interface Prefix {
  readonly address: Uint8Array;
  readonly length: number;
}

/** Throws ProtocolError when the text is no prefix of this family; without a length it is one address. */
export function parsePrefix(family: IpFamily, text: string): Prefix {
  const [address = "", length = String(addressBits(family)), ...rest] = text.split("/");
  if (rest.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > addressBits(family))
    throw new ProtocolError(`${JSON.stringify(text)} is not an ${family} prefix`);
  return { address: parseIp(family, address), length: Number(length) };
}

/** `02:fc:00:00:00:01`, of any length. */
export function formatMac(hex: string): string {
  let text = hex.slice(0, 2);
  for (let at = 2; at < hex.length; at += 2) text += `:${hex.slice(at, at + 2)}`;
  return text;
}

/** Throws ProtocolError when the text is not octets in hex with colons (or, as some write it, dashes). */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2})*$/i.test(text))
    throw new ProtocolError(`${JSON.stringify(text)} is not a hardware address`);
  return Uint8Array.fromHex(text.replaceAll(/[:-]/g, ""));
}

/** The network of an address: `10.1.2.3` and 8 give `10.0.0.0/8`. */
export function networkOf(family: IpFamily, address: string, length: number): string {
  const bytes = parseIp(family, address).map(
    (byte, at) => byte & (0xff00 >> Math.min(8, Math.max(0, length - at * 8))),
  );
  return formatPrefix(family, bytes, length);
}

/** The last address of an IPv4 network, as `10.1.2.3/24` has 10.1.2.255; `undefined` for one of two addresses or one (RFC 3021). */
export function broadcastOf(address: string, prefixLength: number): string | undefined {
  if (prefixLength > 30) return undefined;
  const bytes = parseIp("ipv4", address);
  const hostBits = (at: number) => 0xff >> Math.min(8, Math.max(0, prefixLength - 8 * at));
  return formatIp(bytes.map((byte, at) => byte | hostBits(at)));
}
