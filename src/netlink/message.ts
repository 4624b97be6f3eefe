/** Netlink messages in datagrams: struct nlmsghdr and what errors and ends of dumps carry (linux/netlink.h). */

import { ProtocolError } from "../lib/errors.ts";
import { AttributeReader, align4 } from "./attributes.ts";
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_DONE, NLMSG_ERROR, NLMSGERR_ATTR_MSG } from "./constants.ts";

/** u32 length, u16 type, u16 flags, u32 sequence, u32 port. */
export const NLMSG_HDRLEN = 16;

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** A view of what follows the header: valid as long as the datagram's bytes are. */
  readonly payload: Uint8Array;
}

/** The messages of one datagram. Throws ProtocolError when lengths do not add up. */
export function readMessages(datagram: Uint8Array): Message[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const messages: Message[] = [];
  for (let at = 0; at < datagram.length; ) {
    const left = datagram.length - at;
    if (left < NLMSG_HDRLEN) throw new ProtocolError(`${left} bytes are left of a datagram, a message needs 16`);
    const length = view.getUint32(at, true);
    if (length < NLMSG_HDRLEN || length > left)
      throw new ProtocolError(`a netlink message declares ${length} bytes, ${left} are left`);
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: datagram.subarray(at + NLMSG_HDRLEN, at + length),
    });
    at += align4(length);
  }
  return messages;
}

export interface Outcome {
  /** 0 is success. */
  readonly errno: number;
  readonly kernelMessage?: string;
}

/**
 * What NLMSG_ERROR or NLMSG_DONE says, with the text of the extended ACK. An error holds {i32 -errno, the request's
 * header and, unless capped, its payload}, an end of a dump {i32 -errno} or nothing.
 */
export function readOutcome(message: Message): Outcome {
  const { type, flags, payload } = message;
  if (type === NLMSG_DONE && payload.length < 4) return { errno: 0 };
  if (type === NLMSG_ERROR && payload.length < 4 + NLMSG_HDRLEN)
    throw new ProtocolError(`a netlink error has ${payload.length} bytes, it needs 20`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const errno = 0 - view.getInt32(0, true);
  if (errno < 0) throw new ProtocolError(`a netlink error says ${-errno}, which is no negative errno`);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno };
  const echoed = (flags & NLM_F_CAPPED) === 0 && type === NLMSG_ERROR ? view.getUint32(4, true) : NLMSG_HDRLEN;
  const start = type === NLMSG_ERROR ? 4 + align4(echoed) : 4;
  const attributes = new AttributeReader(payload, start);
  while (attributes.next())
    if (attributes.type === NLMSGERR_ATTR_MSG) return { errno, kernelMessage: attributes.text() };
  return { errno };
}
