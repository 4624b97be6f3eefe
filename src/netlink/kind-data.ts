/** IFLA_INFO_DATA of a link as the kernel reports it, made fit to be sent back for a new link of the same kind. */

import { AttributeBytes, putRaw } from "./attribute-writer.ts";
import { AttributeReader } from "./attributes.ts";

/** Counts that the kernel reports and refuses to be told (linux/if_link.h). */
const REPORT_ONLY: Readonly<Record<string, ReadonlySet<number>>> = {
  macvlan: new Set([6, 8]), // IFLA_MACVLAN_MACADDR_COUNT, IFLA_MACVLAN_BC_QUEUE_LEN_USED
  macvtap: new Set([6, 8]),
};

/** Being named is being used, whatever the value: reported as zero, they are left out. */
const ONLY_IF_SET: Readonly<Record<string, ReadonlySet<number>>> = {
  vxlan: new Set([21, 22, 28]), // IFLA_VXLAN_REMCSUM_TX, IFLA_VXLAN_REMCSUM_RX, IFLA_VXLAN_TTL_INHERIT
};

/** Reported with a byte, wanted without: the policy says NLA_FLAG. */
const FLAGS: Readonly<Record<string, ReadonlySet<number>>> = {
  vxlan: new Set([28]), // IFLA_VXLAN_TTL_INHERIT
};

const IFLA_VLAN_FLAGS = 2;
const VLAN_FLAG_REORDER_HDR = 1;

/** `kindData` and the answer are the bytes of IFLA_INFO_DATA. Throws ProtocolError when they are no attributes. */
export function settableKindData(kind: string, kindData: Uint8Array): Uint8Array {
  if (!(kind in REPORT_ONLY) && !(kind in ONLY_IF_SET) && kind !== "vlan") return kindData;
  const kept = new AttributeBytes();
  for (const at = new AttributeReader(kindData); at.next(); ) {
    const isZero = at.bytes().every((byte) => byte === 0);
    if (REPORT_ONLY[kind]?.has(at.type) || (isZero && ONLY_IF_SET[kind]?.has(at.type))) continue;
    if (FLAGS[kind]?.has(at.type)) kept.put(at.type, new Uint8Array());
    else if (kind === "vlan" && at.type === IFLA_VLAN_FLAGS) kept.put(at.type, vlanFlags(at.u32At(0)));
    else putRaw(kept, at.raw());
  }
  return kept.bytes;
}

/**
 * struct ifla_vlan_flags {u32 flags, mask}. The kernel reports a mask of all bits and refuses those that it does not
 * know: named are the bits that are set, and the one that a new VLAN has by itself.
 */
function vlanFlags(flags: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(flags, flags | VLAN_FLAG_REORDER_HDR).buffer);
}
