/** IFLA_INFO_DATA of a link as the kernel reports it, made fit to be sent back for a new link of the same kind. */

import { AttributeBytes } from "./attribute-writer.ts";
import { AttributeReader } from "./attributes.ts";

/** Counts that the kernel reports and refuses to be told (linux/if_link.h). */
const REPORT_ONLY: Readonly<Record<string, ReadonlySet<number>>> = {
  macvlan: new Set([6, 8]), // IFLA_MACVLAN_MACADDR_COUNT, IFLA_MACVLAN_BC_QUEUE_LEN_USED
  macvtap: new Set([6, 8]),
};

/** `kindData` and the answer are the bytes of IFLA_INFO_DATA. Throws ProtocolError when they are no attributes. */
export function settableKindData(kind: string, kindData: Uint8Array): Uint8Array {
  const refused = REPORT_ONLY[kind];
  if (refused === undefined) return kindData;
  const kept = new AttributeBytes();
  const at = new AttributeReader(kindData);
  while (at.next()) if (!refused.has(at.type)) kept.put(at.type, Uint8Array.fromHex(at.hex()));
  return kept.bytes;
}
