/** Wire constants of traffic control and XDP, named as the kernel's headers name them. */

/** linux/netlink.h */
export const NLM_F_ECHO = 0x8;

/** linux/rtnetlink.h */
export const RTM_NEWQDISC = 36;
export const RTM_GETQDISC = 38;
export const RTM_NEWTFILTER = 44;
export const RTM_DELTFILTER = 45;
export const RTM_GETTFILTER = 46;
export const TCA_KIND = 1;
export const TCA_OPTIONS = 2;
export const TCA_CHAIN = 11;

/** linux/pkt_sched.h: handles are u32, of which the upper half is the major number. */
export const TC_H_ROOT = 0xffffffff;
/** Parent of the `clsact` and the `ingress` queueing discipline alike. */
export const TC_H_INGRESS = 0xfffffff1;
export const TC_H_MIN_INGRESS = 0xfff2;
export const TC_H_MIN_EGRESS = 0xfff3;

/** linux/pkt_cls.h */
export const TCA_BPF_NAME = 7;
export const TCA_BPF_ID = 11;

/** linux/if_link.h */
export const IFLA_XDP_FD = 1;
export const IFLA_XDP_FLAGS = 3;
export const IFLA_XDP_DRV_PROG_ID = 5;
export const IFLA_XDP_SKB_PROG_ID = 6;
export const IFLA_XDP_HW_PROG_ID = 7;
export const XDP_FLAGS_SKB_MODE = 2;
export const XDP_FLAGS_DRV_MODE = 4;
export const XDP_FLAGS_HW_MODE = 8;
