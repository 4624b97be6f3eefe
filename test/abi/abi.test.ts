/** The numbers that the code has by heart, against the headers of the system that the tests run on. */

import { expect, test } from "bun:test";
import { SYS_bpf } from "../../ffi/bpf.ts";
import * as wire from "../../src/netlink/constants.ts";
import * as ethtool from "../../src/netlink/ethtool-constants.ts";
import { SETTINGS } from "../../src/netlink/ethtool-settings.ts";
import * as tc from "../../src/netlink/tc-constants.ts";
import { evaluate } from "./probe.ts";

/** Newer than the headers of Debian 12 (linux/if_link.h of 6.3 and 6.14): test/kernel has the kernel itself judge them. */
const NEWER = new Set(["IFLA_GSO_IPV4_MAX_SIZE", "IFLA_GRO_IPV4_MAX_SIZE", "IFLA_NETNS_IMMUTABLE"]);

test("the wire constants are those of the kernel's headers", () => {
  const values: Readonly<Record<string, number>> = { ...wire, ...tc, ...ethtool };
  const names = Object.keys(values).filter((name) => !NEWER.has(name) && name !== "NLA_TYPE_MASK");
  expect(Object.fromEntries(names.map((name) => [name, values[name]]))).toEqual(evaluate(names));
});

/** Newer than the headers of Debian 12: ethtool_netlink.h of 6.3 to 6.14. */
const NEWER_SETTINGS = new Set([
  "rings rxPush",
  "rings txPushBufLen",
  "rings hdsThresh",
  "coalesce txAggrMaxBytes",
  "coalesce txAggrMaxFrames",
  "coalesce txAggrTimeUsecs",
]);

test("the settings of ethtool have the numbers that the kernel's headers give their names", () => {
  const known = Object.entries(SETTINGS).flatMap(([group, { settings }]) =>
    Object.entries(settings)
      .filter(([name]) => !NEWER_SETTINGS.has(`${group} ${name}`))
      .map(([name, { attribute }]) => {
        const upper = name.replaceAll(/[A-Z]/g, "_$&").toUpperCase();
        return [`ETHTOOL_A_${group.toUpperCase()}_${upper}${group === "channels" ? "_COUNT" : ""}`, attribute] as const;
      }),
  );
  expect(Object.fromEntries(known)).toEqual(evaluate(known.map(([name]) => name)));
});

test("bpf(2) is called by the numbers and layouts of the kernel's headers", () => {
  const numbers: Readonly<Record<string, number>> = {
    SYS_bpf,
    BPF_PROG_DETACH: 9,
    BPF_PROG_GET_FD_BY_ID: 13,
    BPF_OBJ_GET_INFO_BY_FD: 15,
    BPF_PROG_QUERY: 16,
    BPF_LINK_GET_FD_BY_ID: 30,
    BPF_LINK_GET_NEXT_ID: 31,
    BPF_LINK_DETACH: 34,
    BPF_XDP: 37,
    BPF_LINK_TYPE_XDP: 6,
    "offsetof(union bpf_attr, query.target_fd)": 0,
    "offsetof(union bpf_attr, query.attach_type)": 4,
    "offsetof(union bpf_attr, query.prog_ids)": 16,
    "offsetof(union bpf_attr, query.prog_cnt)": 24,
    "offsetof(union bpf_attr, next_id)": 4,
    "offsetof(union bpf_attr, info.info_len)": 4,
    "offsetof(union bpf_attr, info.info)": 8,
    "offsetof(union bpf_attr, attach_bpf_fd)": 4,
    "offsetof(union bpf_attr, attach_type)": 8,
    "offsetof(struct bpf_prog_info, name)": 64,
    BPF_OBJ_NAME_LEN: 16,
    "offsetof(struct bpf_link_info, id)": 4,
    "offsetof(struct bpf_link_info, prog_id)": 8,
    "offsetof(struct bpf_link_info, xdp.ifindex)": 16,
  };
  expect(evaluate(Object.keys(numbers))).toEqual(numbers);
});

test("the attribute flags leave the type", () => {
  expect(evaluate(["(unsigned short)NLA_TYPE_MASK"])).toEqual({ "(unsigned short)NLA_TYPE_MASK": wire.NLA_TYPE_MASK });
});

test("the structs are laid out as the codecs read and write them", () => {
  const layout: Readonly<Record<string, number>> = {
    "sizeof(struct nlmsghdr)": 16,
    "offsetof(struct nlmsghdr, nlmsg_type)": 4,
    "offsetof(struct nlmsghdr, nlmsg_flags)": 6,
    "offsetof(struct nlmsghdr, nlmsg_seq)": 8,
    "sizeof(struct nlmsgerr)": 20,
    "sizeof(struct nlattr)": 4,
    "offsetof(struct nlattr, nla_type)": 2,
    "sizeof(struct ifinfomsg)": 16,
    "offsetof(struct ifinfomsg, ifi_type)": 2,
    "offsetof(struct ifinfomsg, ifi_index)": 4,
    "offsetof(struct ifinfomsg, ifi_flags)": 8,
    "offsetof(struct ifinfomsg, ifi_change)": 12,
    "sizeof(struct ifla_vf_mac)": 36,
    "offsetof(struct ifla_vf_mac, mac)": 4,
    "offsetof(struct ifla_vf_vlan_info, vlan)": 4,
    "offsetof(struct ifla_vf_vlan_info, qos)": 8,
    "offsetof(struct ifla_vf_vlan_info, vlan_proto)": 12,
    "sizeof(struct ifla_vf_vlan_info)": 16,
    "offsetof(struct ifla_vf_rate, min_tx_rate)": 4,
    "offsetof(struct ifla_vf_rate, max_tx_rate)": 8,
    "offsetof(struct ifla_vf_trust, setting)": 4,
    "sizeof(struct ifaddrmsg)": 8,
    "offsetof(struct ifaddrmsg, ifa_prefixlen)": 1,
    "offsetof(struct ifaddrmsg, ifa_flags)": 2,
    "offsetof(struct ifaddrmsg, ifa_scope)": 3,
    "offsetof(struct ifaddrmsg, ifa_index)": 4,
    "offsetof(struct ifa_cacheinfo, ifa_prefered)": 0,
    "offsetof(struct ifa_cacheinfo, ifa_valid)": 4,
    "sizeof(struct rtmsg)": 12,
    "offsetof(struct rtmsg, rtm_dst_len)": 1,
    "offsetof(struct rtmsg, rtm_src_len)": 2,
    "offsetof(struct rtmsg, rtm_tos)": 3,
    "offsetof(struct rtmsg, rtm_table)": 4,
    "offsetof(struct rtmsg, rtm_protocol)": 5,
    "offsetof(struct rtmsg, rtm_scope)": 6,
    "offsetof(struct rtmsg, rtm_type)": 7,
    "offsetof(struct rtmsg, rtm_flags)": 8,
    "sizeof(struct rtnexthop)": 8,
    "offsetof(struct rtnexthop, rtnh_flags)": 2,
    "offsetof(struct rtnexthop, rtnh_hops)": 3,
    "offsetof(struct rtnexthop, rtnh_ifindex)": 4,
    "offsetof(struct rta_cacheinfo, rta_expires)": 8,
    "sizeof(struct fib_rule_hdr)": 12,
    "offsetof(struct fib_rule_hdr, dst_len)": 1,
    "offsetof(struct fib_rule_hdr, src_len)": 2,
    "offsetof(struct fib_rule_hdr, tos)": 3,
    "offsetof(struct fib_rule_hdr, table)": 4,
    "offsetof(struct fib_rule_hdr, action)": 7,
    "offsetof(struct fib_rule_hdr, flags)": 8,
    "sizeof(struct ndmsg)": 12,
    "offsetof(struct ndmsg, ndm_ifindex)": 4,
    "offsetof(struct ndmsg, ndm_state)": 8,
    "offsetof(struct ndmsg, ndm_flags)": 10,
    "sizeof(struct tcmsg)": 20,
    "offsetof(struct tcmsg, tcm_ifindex)": 4,
    "offsetof(struct tcmsg, tcm_handle)": 8,
    "offsetof(struct tcmsg, tcm_parent)": 12,
    "offsetof(struct tcmsg, tcm_info)": 16,
    "sizeof(struct genlmsghdr)": 4,
    "sizeof(struct pollfd)": 8,
    "offsetof(struct pollfd, events)": 4,
    "sizeof(void *)": 8,
  };
  expect(evaluate(Object.keys(layout))).toEqual(layout);
});

test("the numbers that ffi/ passes to the C library are those of its headers", () => {
  const numbers: Readonly<Record<string, number>> = {
    O_RDONLY: 0,
    O_WRONLY: 1,
    O_CLOEXEC: 0o2000000,
    CLONE_NEWNET: 0x40000000,
    NS_GET_NSTYPE: 0xb703,
    CLONE_NEWNS: 0x20000,
    CLONE_NEWPID: 0x20000000,
    MFD_CLOEXEC: 1,
    F_DUPFD_CLOEXEC: 1030,
    MSG_PEEK: 0x2,
    MSG_TRUNC: 0x20,
    MSG_DONTWAIT: 0x40,
    POLLIN: 1,
    SOL_SOCKET: 1,
    SO_RCVBUFFORCE: 33,
    SOL_NETLINK: 270,
    NETLINK_EXT_ACK: 11,
    NETLINK_CAP_ACK: 10,
    NETLINK_GET_STRICT_CHK: 12,
    AF_INET: 2,
    AF_INET6: 10,
    AF_LLC: 26,
  };
  expect(evaluate(Object.keys(numbers))).toEqual(numbers);
});
