/** RDMA devices in the kernel's words. What is seen is what the namespace of the socket may see. */

import { constants } from "node:os";
import { NlMessage } from "../../ffi/libnl.ts";
import { SysError } from "../../ffi/sys-error.ts";
import { text, u32 } from "../netlink/attribute-writer.ts";
import { NLM_F_DUMP, NLM_F_REQUEST } from "../netlink/constants.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import * as k from "./constants.ts";
import {
  type CharDevice,
  decodeCharDevice,
  decodeDevice,
  decodeNetnsMode,
  decodePort,
  type NetnsMode,
  type NldevDevice,
  type NldevPort,
} from "./nldev-codec.ts";

/** Kinds of character devices that GET_CHARDEV resolves; `umad` and `issm` belong to a port. */
export type CharDeviceType = "uverbs" | "umad" | "issm" | "rdma_cm";

const { EINVAL, ENODEV, ENOENT, EOPNOTSUPP } = constants.errno;

export function listDevices(socket: NetlinkSocket): NldevDevice[] {
  const build = () => request(k.RDMA_NLDEV_CMD_GET, NLM_F_DUMP);
  return socket.dump("RDMA_NLDEV_CMD_GET", "all RDMA devices", build, (answer) => decodeDevice(answer.payload));
}

/** None when the device has gone meanwhile. */
export function listPorts(socket: NetlinkSocket, device: NldevDevice): NldevPort[] {
  const build = () =>
    request(k.RDMA_NLDEV_CMD_PORT_GET, NLM_F_DUMP).put(k.RDMA_NLDEV_ATTR_DEV_INDEX, u32(device.index));
  const read = () => socket.dump("RDMA_NLDEV_CMD_PORT_GET", device.name, build, (answer) => decodePort(answer.payload));
  return orNothing([ENODEV, EINVAL], read) ?? [];
}

/** `undefined` before Linux 5.2, where every namespace sees every device. */
export function netnsMode(socket: NetlinkSocket): NetnsMode | undefined {
  using message = request(k.RDMA_NLDEV_CMD_SYS_GET);
  const read = () => socket.get("RDMA_NLDEV_CMD_SYS_GET", "RDMA", message, (answer) => decodeNetnsMode(answer.payload));
  return orNothing([EINVAL, EOPNOTSUPP], read);
}

/** `undefined` when there is none of this type. `port` for those that belong to one. `rdma_cm` belongs to no device. */
export function charDevice(
  socket: NetlinkSocket,
  type: CharDeviceType,
  device?: Pick<NldevDevice, "index" | "name">,
  port?: number,
): CharDevice | undefined {
  using message = request(k.RDMA_NLDEV_CMD_GET_CHARDEV).put(k.RDMA_NLDEV_ATTR_CHARDEV_TYPE, text(type));
  if (device !== undefined) message.put(k.RDMA_NLDEV_ATTR_DEV_INDEX, u32(device.index));
  if (port !== undefined) message.put(k.RDMA_NLDEV_ATTR_PORT_INDEX, u32(port));
  const read = () =>
    socket.get("RDMA_NLDEV_CMD_GET_CHARDEV", `${type} of ${device?.name ?? "RDMA"}`, message, (answer) =>
      decodeCharDevice(answer.payload),
    );
  return orNothing([ENOENT, ENODEV, EOPNOTSUPP], read);
}

export function request(command: number, flags = 0): NlMessage {
  return new NlMessage(k.nldev(command), NLM_F_REQUEST | flags);
}

function orNothing<T>(errnos: readonly number[], ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof SysError && errnos.includes(error.errno)) return undefined;
    throw error;
  }
}
