/** Changes of RDMA devices, as `rdma dev set` and `rdma link add` make them. Each throws SysError when the kernel refuses. */

import { text, u32 } from "../netlink/attribute-writer.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import * as k from "./constants.ts";
import { request } from "./nldev.ts";
import type { NldevDevice } from "./nldev-codec.ts";

/** RDMA devices in software, which stand on a netdev of any kind and go with it when it leaves its namespace. */
export type SoftwareKind = "rxe" | "siw";

type Named = Pick<NldevDevice, "index" | "name">;

/**
 * Moves the device into another namespace, with every context that is open on it torn down. The thread has to be in the
 * device's namespace, as the socket is. EOPNOTSUPP: shared mode, or a driver that cannot take contexts down.
 */
export function setNetns(socket: NetlinkSocket, device: Named, netnsFd: number): void {
  using message = set(device).put(k.RDMA_NLDEV_NET_NS_FD, u32(netnsFd));
  socket.request("RDMA_NLDEV_CMD_SET", `the namespace of ${device.name}`, message);
}

export function renameDevice(socket: NetlinkSocket, device: Named, name: string): void {
  using message = set(device).put(k.RDMA_NLDEV_ATTR_DEV_NAME, text(name));
  socket.request("RDMA_NLDEV_CMD_SET", `the name of ${device.name}`, message);
}

/** On a netdev of the socket's namespace. In exclusive mode too the device itself is made in the first namespace. */
export function addLink(socket: NetlinkSocket, name: string, kind: SoftwareKind, ifname: string): void {
  using message = request(k.RDMA_NLDEV_CMD_NEWLINK)
    .put(k.RDMA_NLDEV_ATTR_DEV_NAME, text(name))
    .put(k.RDMA_NLDEV_ATTR_LINK_TYPE, text(kind))
    .put(k.RDMA_NLDEV_ATTR_NDEV_NAME, text(ifname));
  socket.request("RDMA_NLDEV_CMD_NEWLINK", `${kind} ${name} on ${ifname}`, message);
}

/** EINVAL for a device that is not in software, or not there. */
export function deleteLink(socket: NetlinkSocket, device: Named): void {
  using message = request(k.RDMA_NLDEV_CMD_DELLINK).put(k.RDMA_NLDEV_ATTR_DEV_INDEX, u32(device.index));
  socket.request("RDMA_NLDEV_CMD_DELLINK", device.name, message);
}

function set(device: Named) {
  return request(k.RDMA_NLDEV_CMD_SET).put(k.RDMA_NLDEV_ATTR_DEV_INDEX, u32(device.index));
}
