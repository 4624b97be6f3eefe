/** RTM_NEWRULE ↔ Rule: struct fib_rule_hdr and its attributes (linux/fib_rules.h). */

import { ProtocolError } from "../lib/errors.ts";
import { type MessageWriter, putRaw, text, u32 } from "./attribute-writer.ts";
import { AttributeReader, type RawAttribute } from "./attributes.ts";
import * as k from "./constants.ts";
import { FAMILY_NUMBER, familyOf, formatPrefix, parsePrefix } from "./ip.ts";
import type { Rule } from "./rule.ts";

/** struct fib_rule_hdr {u8 family, dst_len, src_len, tos, table, res1, res2, action; u32 flags}. */
const RULE_BYTES = 12;
/** FIB_RULE_PERMANENT 1, UNRESOLVED 4, IIF_DETACHED 8, OIF_DETACHED 16 are states; INVERT 2 is what was asked for. */
const FIB_RULE_INVERT = 2;

/** `undefined` for a family that is not IP. Throws ProtocolError when the payload is no rule. */
export function decodeRule(payload: Uint8Array): Rule | undefined {
  if (payload.length < RULE_BYTES) throw new ProtocolError(`a rule has ${payload.length} bytes, it needs 12`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const family = familyOf(view.getUint8(0));
  if (family === undefined) return undefined;
  let table = view.getUint8(4);
  let priority = 0;
  let destination: Uint8Array | undefined;
  let source: Uint8Array | undefined;
  const links: { iif?: string; oif?: string } = {};
  const attributes: RawAttribute[] = [];
  const at = new AttributeReader(payload, RULE_BYTES);
  while (at.next()) {
    if (at.type === k.FRA_DST) destination = at.bytes();
    else if (at.type === k.FRA_SRC) source = at.bytes();
    else if (at.type === k.FRA_PRIORITY) priority = at.u32();
    else if (at.type === k.FRA_TABLE) table = at.u32();
    else if (at.type === k.FRA_IIFNAME) links.iif = at.text();
    else if (at.type === k.FRA_OIFNAME) links.oif = at.text();
    else attributes.push(at.raw());
  }
  return {
    family,
    priority,
    ...(source === undefined ? {} : { source: formatPrefix(family, source, view.getUint8(2)) }),
    ...(destination === undefined ? {} : { destination: formatPrefix(family, destination, view.getUint8(1)) }),
    ...links,
    table,
    action: view.getUint8(7),
    tos: view.getUint8(3),
    flags: view.getUint32(8, true) & FIB_RULE_INVERT,
    attributes,
  };
}

/** Writes header and attributes. Throws ProtocolError when a text of the rule is no prefix. */
export function encodeRule(rule: Rule, message: MessageWriter): void {
  const { family } = rule;
  const source = rule.source === undefined ? undefined : parsePrefix(family, rule.source);
  const destination = rule.destination === undefined ? undefined : parsePrefix(family, rule.destination);
  const header = new Uint8Array(RULE_BYTES);
  header[0] = FAMILY_NUMBER[family];
  header[1] = destination?.length ?? 0;
  header[2] = source?.length ?? 0;
  header[3] = rule.tos;
  header[4] = rule.table < 256 ? rule.table : k.RT_TABLE_COMPAT;
  header[7] = rule.action;
  new DataView(header.buffer).setUint32(8, rule.flags & FIB_RULE_INVERT, true);
  message.append(header);
  if (source !== undefined) message.put(k.FRA_SRC, source.address);
  if (destination !== undefined) message.put(k.FRA_DST, destination.address);
  if (rule.iif !== undefined) message.put(k.FRA_IIFNAME, text(rule.iif));
  if (rule.oif !== undefined) message.put(k.FRA_OIFNAME, text(rule.oif));
  message.put(k.FRA_PRIORITY, u32(rule.priority));
  // A rule for VRFs has no table of its own, and the kernel refuses both.
  if (rule.table !== 0) message.put(k.FRA_TABLE, u32(rule.table));
  for (const attribute of rule.attributes) putRaw(message, attribute);
}
