/** RTM_NEWQDISC → Qdisc, RTM_NEWTFILTER → Filter: struct tcmsg and its attributes (linux/rtnetlink.h). */

import { ProtocolError } from "../lib/errors.ts";
import { AttributeReader } from "./attributes.ts";
import * as tc from "./tc-constants.ts";

/** A queueing discipline. Handles are of the form `major << 16 | minor`. */
export interface Qdisc {
  readonly ifindex: number;
  /** `clsact`, `ingress`, `fq`, `noqueue`, … */
  readonly kind: string;
  /** 0 when the kernel gave the link its default. */
  readonly handle: number;
  readonly parent: number;
}

export interface Filter {
  readonly ifindex: number;
  readonly parent: number;
  readonly handle: number;
  readonly priority: number;
  /** ETH_P_*: 3 for all. */
  readonly protocol: number;
  readonly chain: number;
  /** `bpf`, `u32`, `flower`, … */
  readonly kind: string;
  /** Of kind `bpf`: what its maker called it, and the program. */
  readonly name?: string;
  readonly programId?: number;
}

/** struct tcmsg {u8 family, pad; u16 pad; i32 ifindex; u32 handle, parent, info}. */
const TCMSG_BYTES = 20;

export interface TcAddress {
  readonly ifindex: number;
  readonly handle?: number;
  readonly parent?: number;
  readonly priority?: number;
  readonly protocol?: number;
}

export function encodeTcmsg({ ifindex, handle = 0, parent = 0, priority = 0, protocol = 0 }: TcAddress): Uint8Array {
  const bytes = new Uint8Array(TCMSG_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, ifindex, true);
  view.setUint32(8, handle, true);
  view.setUint32(12, parent, true);
  view.setUint16(16, protocol); // big-endian, as on the wire
  view.setUint16(18, priority, true);
  return bytes;
}

/** Throws ProtocolError when the payload is no queueing discipline. */
export function decodeQdisc(payload: Uint8Array): Qdisc {
  const view = tcmsgOf(payload);
  let kind = "";
  for (const at = new AttributeReader(payload, TCMSG_BYTES); at.next(); ) if (at.type === tc.TCA_KIND) kind = at.text();
  return {
    ifindex: view.getInt32(4, true),
    kind,
    handle: view.getUint32(8, true),
    parent: view.getUint32(12, true),
  };
}

/** `undefined` for the heading that the kernel puts before the filters of one priority. */
export function decodeFilter(payload: Uint8Array): Filter | undefined {
  const view = tcmsgOf(payload);
  let kind = "";
  let chain = 0;
  let options: AttributeReader | undefined;
  for (const at = new AttributeReader(payload, TCMSG_BYTES); at.next(); ) {
    if (at.type === tc.TCA_KIND) kind = at.text();
    else if (at.type === tc.TCA_CHAIN) chain = at.u32();
    else if (at.type === tc.TCA_OPTIONS) options = at.nested();
  }
  if (options === undefined) return undefined;
  return {
    ifindex: view.getInt32(4, true),
    parent: view.getUint32(12, true),
    handle: view.getUint32(8, true),
    priority: view.getUint16(18, true),
    protocol: view.getUint16(16),
    chain,
    kind,
    ...(kind === "bpf" ? readBpfOptions(options) : {}),
  };
}

function readBpfOptions(at: AttributeReader): Pick<Filter, "name" | "programId"> {
  const found: { name?: string; programId?: number } = {};
  while (at.next()) {
    if (at.type === tc.TCA_BPF_NAME) found.name = at.text();
    else if (at.type === tc.TCA_BPF_ID) found.programId = at.u32();
  }
  return found;
}

function tcmsgOf(payload: Uint8Array): DataView {
  if (payload.length < TCMSG_BYTES) throw new ProtocolError(`a tc message has ${payload.length} bytes, it needs 20`);
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
}
