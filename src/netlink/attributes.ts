/** Netlink attributes: {u16 length, u16 type} and a payload, padded to four bytes (linux/netlink.h). */

/** An attribute that is kept as the kernel sent it: type without flag bits, payload in hex. */
export interface RawAttribute {
  readonly type: number;
  readonly data: string;
}
