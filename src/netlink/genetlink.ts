/** Generic netlink: families are known by name, and get their number when the kernel boots or loads a module. */

import { constants } from "node:os";
import { NlMessage } from "../../ffi/libnl.ts";
import { SysError } from "../../ffi/sys-error.ts";
import { NotSupportedError } from "../lib/errors.ts";
import { text } from "./attribute-writer.ts";
import { AttributeReader } from "./attributes.ts";
import { NLM_F_REQUEST } from "./constants.ts";
import * as e from "./ethtool-constants.ts";
import { NetlinkSocket } from "./socket.ts";

/** struct genlmsghdr {u8 cmd, version; u16 reserved}. */
export const GENL_HDRLEN = 4;
const CTRL_VERSION = 1;

/** Of the namespace that the thread is in. */
export function openGeneric(): NetlinkSocket {
  return new NetlinkSocket(e.NETLINK_GENERIC);
}

/** A request to a family; attributes are put on the answer. */
export function genericMessage(family: number, command: number, version: number): NlMessage {
  return new NlMessage(family, NLM_F_REQUEST).append(Uint8Array.of(command, version, 0, 0));
}

/** The number of a family. Throws NotSupportedError when the kernel does not have it. */
export function familyId(socket: NetlinkSocket, name: string): number {
  using message = genericMessage(e.GENL_ID_CTRL, e.CTRL_CMD_GETFAMILY, CTRL_VERSION);
  message.put(e.CTRL_ATTR_FAMILY_NAME, text(name));
  try {
    const id = socket.get("CTRL_CMD_GETFAMILY", name, message, ({ payload }) => {
      for (const at = new AttributeReader(payload, GENL_HDRLEN); at.next(); )
        if (at.type === e.CTRL_ATTR_FAMILY_ID) return at.u16();
      return undefined;
    });
    if (id !== undefined) return id;
  } catch (error) {
    if (!(error instanceof SysError && error.errno === constants.errno.ENOENT)) throw error;
  }
  throw new NotSupportedError(`generic netlink family ${name}`, "this kernel does not have it");
}
