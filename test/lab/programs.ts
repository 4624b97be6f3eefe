/** eBPF programs at links of a test's namespace. They do nothing and let everything pass. */

import { BPF_TCX_EGRESS, BPF_TCX_INGRESS, BPF_XDP } from "../../ffi/bpf.ts";
import { attachProgram, createBpfLink, loadProgram } from "../../ffi/bpf-testing.ts";
import { NlMessage } from "../../ffi/libnl.ts";
import { inNetns } from "../../ffi/netns.ts";
import type { OwnedFd } from "../../ffi/owned.ts";
import { AttributeBytes, putNested, text, u32 } from "../../src/netlink/attribute-writer.ts";
import * as k from "../../src/netlink/constants.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { encodeTcmsg } from "../../src/netlink/tc-codec.ts";
import * as tc from "../../src/netlink/tc-constants.ts";

export type Direction = "ingress" | "egress";

const ATTACH_TYPES = { ingress: BPF_TCX_INGRESS, egress: BPF_TCX_EGRESS } as const;
const CLSACT_PARENTS = { ingress: 0xfffffff2, egress: 0xfffffff3 } as const;
const ETH_P_ALL = 3;

/** TCX that stays with the link. */
export function addTcx(netnsFd: number, ifindex: number, direction: Direction, name: string): void {
  using program = loadProgram("schedCls", name);
  inNetns(netnsFd, () => attachProgram(ifindex, ATTACH_TYPES[direction], program));
}

/** TCX that a bpf_link holds until the answer is closed. */
export function linkTcx(netnsFd: number, ifindex: number, direction: Direction, name: string): OwnedFd {
  using program = loadProgram("schedCls", name);
  return inNetns(netnsFd, () => createBpfLink(ifindex, ATTACH_TYPES[direction], program));
}

/** XDP that a bpf_link holds until the answer is closed. */
export function linkXdp(netnsFd: number, ifindex: number, program: OwnedFd): OwnedFd {
  return inNetns(netnsFd, () => createBpfLink(ifindex, BPF_XDP, program));
}

/** XDP as `ip link set dev … xdp` attaches it. `flags`: XDP_FLAGS_*. */
export function addXdp(netnsFd: number, ifindex: number, name: string, flags: number): void {
  using program = loadProgram("xdp", name);
  using socket = inNetns(netnsFd, () => new NetlinkSocket());
  using message = new NlMessage(k.RTM_NEWLINK, k.NLM_F_REQUEST);
  const header = new Uint8Array(16);
  new DataView(header.buffer).setInt32(4, ifindex, true);
  message.append(header);
  putNested(message, k.IFLA_XDP, (xdp) => xdp.put(tc.IFLA_XDP_FD, u32(program.fd)).put(tc.IFLA_XDP_FLAGS, u32(flags)));
  socket.request("RTM_NEWLINK", "a test's XDP program", message);
}

/** A tc filter of kind bpf in a clsact that is there, as `tc filter add … bpf da obj` makes it. */
export function addTcProgram(netnsFd: number, ifindex: number, direction: Direction, name: string): void {
  const TCA_BPF_FD = 6;
  const TCA_BPF_FLAGS = 8;
  const TCA_BPF_FLAG_ACT_DIRECT = 1;
  const RTM_NEWTFILTER = 44;
  using program = loadProgram("schedCls", "tc_program");
  using socket = inNetns(netnsFd, () => new NetlinkSocket());
  using message = new NlMessage(RTM_NEWTFILTER, k.NLM_F_REQUEST | k.NLM_F_CREATE);
  message.append(encodeTcmsg({ ifindex, parent: CLSACT_PARENTS[direction], protocol: ETH_P_ALL }));
  message.put(tc.TCA_KIND, text("bpf"));
  const options = new AttributeBytes()
    .put(TCA_BPF_FD, u32(program.fd))
    .put(tc.TCA_BPF_NAME, text(name))
    .put(TCA_BPF_FLAGS, u32(TCA_BPF_FLAG_ACT_DIRECT));
  message.put(tc.TCA_OPTIONS | k.NLA_F_NESTED, options.bytes);
  socket.request("RTM_NEWTFILTER", "a test's tc program", message);
}
