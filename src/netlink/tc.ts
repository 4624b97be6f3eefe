/** Traffic control: queueing disciplines and filters of links. */

import { constants } from "node:os";
import { NlMessage } from "../../ffi/libnl.ts";
import { SysError } from "../../ffi/sys-error.ts";
import { text, u32 } from "./attribute-writer.ts";
import * as k from "./constants.ts";
import type { Answer, NetlinkSocket } from "./socket.ts";
import { decodeFilter, decodeQdisc, encodeTcmsg, type Filter, type Qdisc } from "./tc-codec.ts";
import * as tc from "./tc-constants.ts";

function readQdisc(answer: Answer): Qdisc | undefined {
  return answer.type === tc.RTM_NEWQDISC ? decodeQdisc(answer.payload) : undefined;
}

/** Of all links of the namespace, without those that the kernel makes below a multi-queue one. */
export function listQdiscs(socket: NetlinkSocket): Qdisc[] {
  const build = () =>
    new NlMessage(tc.RTM_GETQDISC, k.NLM_F_REQUEST | k.NLM_F_DUMP).append(encodeTcmsg({ ifindex: 0 }));
  return socket.dump("RTM_GETQDISC", "all queueing disciplines", build, readQdisc);
}

/** The one at the link's root or, `clsact` or `ingress`, at its entrance; `undefined` when there is none to be seen. */
export function getQdisc(socket: NetlinkSocket, ifindex: number, where: "root" | "ingress"): Qdisc | undefined {
  // The kernel tells everyone who listens, and the one who asks only if he wants to hear it too.
  using message = new NlMessage(tc.RTM_GETQDISC, k.NLM_F_REQUEST | tc.NLM_F_ECHO);
  message.append(encodeTcmsg({ ifindex, parent: where === "root" ? tc.TC_H_ROOT : tc.TC_H_INGRESS }));
  try {
    return socket.get("RTM_GETQDISC", `${where} of link ${ifindex}`, message, readQdisc);
  } catch (error) {
    // EINVAL: one that the kernel does not show, as that of a link which never was up.
    if (error instanceof SysError && NO_QDISC.has(error.errno)) return undefined;
    throw error;
  }
}

const NO_QDISC: ReadonlySet<number> = new Set([constants.errno.ENOENT, constants.errno.EINVAL]);

/** All chains of both directions of a `clsact`, or of the one that `ingress` has. None where the link has no such thing. */
export function listFilters(socket: NetlinkSocket, entrance: Pick<Qdisc, "ifindex" | "kind" | "handle">): Filter[] {
  const { ifindex, kind, handle } = entrance;
  const major = handle & 0xffff0000;
  const minors = kind === "clsact" ? [tc.TC_H_MIN_INGRESS, tc.TC_H_MIN_EGRESS] : [tc.TC_H_MIN_INGRESS];
  return minors.flatMap((minor) => {
    const parent = (major | minor) >>> 0;
    const build = () =>
      new NlMessage(tc.RTM_GETTFILTER, k.NLM_F_REQUEST | k.NLM_F_DUMP).append(encodeTcmsg({ ifindex, parent }));
    return socket.dump("RTM_GETTFILTER", `filters of link ${ifindex}`, build, (answer) =>
      answer.type === tc.RTM_NEWTFILTER ? decodeFilter(answer.payload) : undefined,
    );
  });
}

/** Throws SysError ENOENT when the link has no such filter. */
export function removeFilter(socket: NetlinkSocket, filter: Filter): void {
  const { ifindex, parent, handle, priority, protocol, kind, chain } = filter;
  using message = new NlMessage(tc.RTM_DELTFILTER, k.NLM_F_REQUEST);
  message.append(encodeTcmsg({ ifindex, parent, handle, priority, protocol }));
  message.put(tc.TCA_KIND, text(kind));
  if (chain !== 0) message.put(tc.TCA_CHAIN, u32(chain));
  socket.request("RTM_DELTFILTER", `${kind} filter ${filter.name ?? handle} of link ${ifindex}`, message);
}
