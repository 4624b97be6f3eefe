/** XDP programs of links (linux/if_link.h). Which there are is told with the link. */

import { NlMessage } from "../../ffi/libnl.ts";
import { putNested, u32 } from "./attribute-writer.ts";
import * as k from "./constants.ts";
import type { XdpMode } from "./link.ts";
import { encodeIfinfo } from "./link-codec.ts";
import type { NetlinkSocket } from "./socket.ts";
import * as tc from "./tc-constants.ts";

const MODE_FLAGS: Readonly<Record<XdpMode, number>> = {
  skb: tc.XDP_FLAGS_SKB_MODE,
  driver: tc.XDP_FLAGS_DRV_MODE,
  hardware: tc.XDP_FLAGS_HW_MODE,
};

/** Nothing happens when there is none. Throws SysError EBUSY when a bpf_link holds the program. */
export function detachXdp(socket: NetlinkSocket, ifindex: number, mode: XdpMode): void {
  using message = new NlMessage(k.RTM_NEWLINK, k.NLM_F_REQUEST);
  message.append(encodeIfinfo(ifindex));
  putNested(message, k.IFLA_XDP, (xdp) =>
    // Without its mode the kernel looks only at the driver's program.
    xdp.put(tc.IFLA_XDP_FD, u32(0xffffffff)).put(tc.IFLA_XDP_FLAGS, u32(MODE_FLAGS[mode])),
  );
  socket.request("RTM_NEWLINK", `XDP program of link ${ifindex}`, message);
}
