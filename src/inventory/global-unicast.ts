/**
 * Whether an address is global unicast in the sense of Go's `net.IP.IsGlobalUnicast`, which DRANET asks: neither
 * unspecified, loopback, link-local, multicast nor the limited broadcast. Private and unique local ones are.
 * `address` is canonical text.
 */
export function isGlobalUnicast(address: string): boolean {
  return address.includes(":") ? isGlobalIpv6(address) : isGlobalIpv4(address);
}

function isGlobalIpv4(address: string): boolean {
  const [first = 0, second = 0] = address.split(".").map(Number);
  if (address === "0.0.0.0" || address === "255.255.255.255") return false;
  const isLinkLocal = first === 169 && second === 254;
  const isMulticast = first >= 224 && first <= 239;
  return first !== 127 && !isLinkLocal && !isMulticast;
}

function isGlobalIpv6(address: string): boolean {
  if (address === "::" || address === "::1") return false;
  const first = Number.parseInt(address.split(":")[0] || "0", 16);
  const isLinkLocal = (first & 0xffc0) === 0xfe80;
  const isMulticast = (first & 0xff00) === 0xff00;
  return !isLinkLocal && !isMulticast;
}
