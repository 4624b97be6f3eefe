/** Names of devices in the pool, as DRANET makes them (kubernetes-sigs/dranet pkg/names): DNS labels. */

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** `0000:8a:00.0` → `pci-0000-8a-00-0`. */
export function pciDeviceName(address: string): string {
  return `pci-${address.replaceAll(/[:.]/g, "-")}`;
}

/** The link's name where it is a DNS label, else `net-` and the name's bytes in base32 (RFC 4648, lower case, no padding). */
export function linkDeviceName(ifname: string): string {
  return DNS_LABEL.test(ifname) ? ifname : `net-${base32(Buffer.from(ifname))}`;
}

/** `name`, or with a number behind where another device has it: a link may be called `net-mq` as another one is encoded. */
export function uniqueName(name: string, taken: ReadonlySet<string>): string {
  for (let n = 2, candidate = name; ; n++) {
    if (!taken.has(candidate)) return candidate;
    candidate = `${name}-${n}`;
  }
}

function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(value >> (bits - 5)) & 31];
  }
  return bits === 0 ? text : text + BASE32[(value << (5 - bits)) & 31];
}
