/** The settings of a link's driver: read for the snapshot, and applied. */

import { SysError } from "../../ffi/sys-error.ts";
import { NotSupportedError } from "../lib/errors.ts";
import { readFeatures, readPrivateFlags, readSettings } from "../netlink/ethtool.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import type { EthtoolState } from "./calls.ts";

const READERS = {
  features: readFeatures,
  privateFlags: readPrivateFlags,
  rings: (socket: NetlinkSocket, ifindex: number) => readSettings(socket, ifindex, "rings"),
  channels: (socket: NetlinkSocket, ifindex: number) => readSettings(socket, ifindex, "channels"),
  coalesce: (socket: NetlinkSocket, ifindex: number) => readSettings(socket, ifindex, "coalesce"),
  pause: (socket: NetlinkSocket, ifindex: number) => readSettings(socket, ifindex, "pause"),
};

/**
 * What the driver has and tells. Most lack most of it (EOPNOTSUPP), and some refuse while the link is down: no reason
 * for a link to stay away from its pod.
 */
export function readEthtool(socket: NetlinkSocket, ifindex: number): EthtoolState {
  const state: Record<string, unknown> = {};
  for (const [group, read] of Object.entries(READERS)) {
    try {
      state[group] = read(socket, ifindex);
    } catch (error) {
      if (error instanceof NotSupportedError) break;
      if (!(error instanceof SysError)) throw error;
    }
  }
  return state;
}
