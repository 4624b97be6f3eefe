/** A kernel network device as RTM_NEWLINK describes it (linux/if_link.h, linux/rtnetlink.h). */

export interface Link {
  readonly ifindex: number;
  readonly ifname: string;
  /** ARPHRD_*: 1 Ethernet, 32 InfiniBand, 772 loopback. */
  readonly arpType: number;
  /** IFF_*: 1 UP, 8 LOOPBACK, 0x400 MASTER, 0x800 SLAVE. */
  readonly flags: number;
  readonly mtu: number;
  /** Octets in lower-case hex with colons; absent on links without one. */
  readonly address?: string;
  readonly permanentAddress?: string;
  /** IFLA_INFO_KIND: `veth`, `macvlan`, …; absent on physical devices. */
  readonly kind?: string;
  /** IFLA_INFO_DATA as the kernel sent it, in hex: what a link of this kind is made anew from. */
  readonly kindData?: string;
  readonly altnames: readonly string[];
  readonly alias?: string;
  readonly txQueueLen: number;
  /** IF_OPER_*: 0 unknown, 2 down, 6 up. */
  readonly operstate: number;
  readonly group: number;
  readonly master?: number;
  /** IFLA_LINK: the lower device, in the namespace `linkNetnsId` when that is set, else in this one. */
  readonly lower?: number;
  readonly linkNetnsId?: number;
  readonly parentDevName?: string;
  readonly parentDevBusName?: string;
  /** IFLA_NETNS_IMMUTABLE: the kernel refuses to move this link; absent on kernels that do not tell. */
  readonly netnsImmutable?: boolean;
  readonly gsoMaxSize?: number;
  readonly gsoMaxSegs?: number;
  readonly groMaxSize?: number;
  readonly gsoIpv4MaxSize?: number;
  readonly groIpv4MaxSize?: number;
  readonly tsoMaxSize?: number;
  readonly xdpAttached?: boolean;
  /** Id of the XDP program of each mode that has one. */
  readonly xdpPrograms?: Readonly<Partial<Record<XdpMode, number>>>;
}

/** Where the program runs: in the generic code of the kernel, in the driver, on the card. */
export type XdpMode = "skb" | "driver" | "hardware";

export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
/** There is a carrier. */
export const IFF_LOWER_UP = 0x10000;
