/** An address of a link as RTM_NEWADDR describes it (linux/if_addr.h). */

export interface Address {
  readonly ifindex: number;
  readonly family: "ipv4" | "ipv6";
  /** The link's own address, canonical text without prefix. */
  readonly local: string;
  readonly prefixLength: number;
  /** The far end of a point-to-point address; absent when it equals `local`. */
  readonly peer?: string;
  readonly broadcast?: string;
  readonly label?: string;
  /** RT_SCOPE_*: 0 universe, 253 link, 254 host. */
  readonly scope: number;
  /** IFA_F_*: 0x01 SECONDARY or TEMPORARY, 0x02 NODAD, 0x40 TENTATIVE, 0x80 PERMANENT, 0x100 MANAGETEMPADDR, 0x200 NOPREFIXROUTE. */
  readonly flags: number;
  /** Remaining seconds at the time of reading; absent means for ever. */
  readonly validSeconds?: number;
  readonly preferredSeconds?: number;
  readonly metric?: number;
  /** IFA_PROTO (5.18): 1 loopback, 2 router advertisement, 3 link-local, else set by the user. */
  readonly protocol?: number;
}

export const IFA_F_NODAD = 0x02;
export const IFA_F_DADFAILED = 0x08;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;
export const IFA_F_NOPREFIXROUTE = 0x200;
