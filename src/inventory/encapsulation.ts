/**
 * ARPHRD_* (linux/if_arp.h) by the names of iproute2's lib/ll_types.c, which vishvananda/netlink and so DRANET use: the
 * types that a device of today's kernels can have.
 */

const NAMES: Readonly<Record<number, string>> = {
  0: "generic",
  1: "ether",
  3: "ax25",
  7: "arcnet",
  24: "ieee1394",
  32: "infiniband",
  256: "slip",
  257: "cslip",
  258: "slip6",
  259: "cslip6",
  270: "rose",
  271: "x25",
  272: "hwx25",
  512: "ppp",
  513: "hdlc",
  516: "lapb",
  768: "ipip",
  769: "tunnel6",
  772: "loopback",
  774: "fddi",
  776: "sit",
  778: "gre",
  779: "pimreg",
  780: "hippi",
  801: "ieee802.11",
  802: "ieee802.11/prism",
  803: "ieee802.11/radiotap",
  804: "ieee802.15.4",
  65534: "none",
  65535: "void",
};

export function encapsulationName(arpType: number): string {
  return NAMES[arpType] ?? `unknown${arpType}`;
}

/** IF_OPER_* (linux/if.h, RFC 2863) in the same library's words. */
const OPERSTATES: readonly string[] = [
  "unknown",
  "not-present",
  "down",
  "lower-layer-down",
  "testing",
  "dormant",
  "up",
];

export function operstateName(operstate: number): string {
  return OPERSTATES[operstate] ?? "unknown";
}
