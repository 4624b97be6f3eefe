/** VFs by way of their PF's link: what it has set for them, and changing that. */

import { constants } from "node:os";
import { NlMessage } from "../../ffi/libnl.ts";
import { SysError } from "../../ffi/sys-error.ts";
import { u32 } from "./attribute-writer.ts";
import * as k from "./constants.ts";
import { encodeIfinfo } from "./link-codec.ts";
import { linkName } from "./links.ts";
import type { NetlinkSocket } from "./socket.ts";
import type { VfState } from "./vf.ts";
import { decodeVfs, encodeVfSetting, type VfSetting } from "./vf-codec.ts";

/** By index; none on a link that is no PF. Throws SysError ENODEV when the link is not there. */
export function readVfs(socket: NetlinkSocket, ifindex: number): ReadonlyMap<number, VfState> {
  using message = new NlMessage(k.RTM_GETLINK, k.NLM_F_REQUEST);
  message.append(encodeIfinfo(ifindex));
  message.put(k.IFLA_EXT_MASK, u32(k.RTEXT_FILTER_VF | k.RTEXT_FILTER_SKIP_STATS));
  const vfs = socket.get("RTM_GETLINK", linkName(ifindex), message, (answer) =>
    answer.type === k.RTM_NEWLINK ? decodeVfs(answer.payload) : undefined,
  );
  if (vfs === undefined) throw new SysError("RTM_GETLINK", constants.errno.ENODEV, linkName(ifindex));
  return vfs;
}

/** Throws SysError: EOPNOTSUPP and EPROTONOSUPPORT for what the PF's driver does not have. */
export function setVf(socket: NetlinkSocket, ifindex: number, index: number, setting: VfSetting): void {
  using message = new NlMessage(k.RTM_NEWLINK, k.NLM_F_REQUEST);
  message.append(encodeIfinfo(ifindex));
  message.put(k.IFLA_VFINFO_LIST | k.NLA_F_NESTED, encodeVfSetting(index, setting));
  socket.request("RTM_NEWLINK", `vf ${index} of ${linkName(ifindex)}`, message);
}
