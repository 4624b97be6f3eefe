/** Settings of a link's driver and hardware, by the generic netlink family `ethtool` (Linux 5.6). */

import type { NlMessage } from "../../ffi/libnl.ts";
import { putNested, u8, u32 } from "./attribute-writer.ts";
import { AttributeReader } from "./attributes.ts";
import { type Bitset, putBitset, readBitset } from "./ethtool-bitset.ts";
import * as e from "./ethtool-constants.ts";
import { SETTINGS, type SettingsGroup } from "./ethtool-settings.ts";
import { familyId, GENL_HDRLEN, genericMessage } from "./genetlink.ts";
import type { NetlinkSocket } from "./socket.ts";

/** Numbers of one group by name; flags are 0 or 1. */
export type Settings = Readonly<Record<string, number>>;
/** Switches by the kernel's name. */
export type Switches = Readonly<Record<string, boolean>>;

export interface Features {
  /** Those that can be changed: whether they are asked for. */
  readonly wanted: Switches;
  /** Those that cannot: whether they are on. */
  readonly fixed: Switches;
}

/** The family's number; it holds until the next boot, in every namespace. */
let family: number | undefined;
/** Names of features by the index of their bit, the same for all links of a kernel. */
let featureNames: readonly string[] | undefined;

/** Throws SysError (EOPNOTSUPP: the driver has none; ENODEV), NotSupportedError. */
export function readFeatures(socket: NetlinkSocket, ifindex: number): Features {
  const sets = new Map<number, Bitset>();
  ask(socket, ifindex, e.ETHTOOL_MSG_FEATURES_GET, "features", (at) => {
    if (at.type !== e.ETHTOOL_A_FEATURES_HEADER) sets.set(at.type, readBitset(at.nested()));
  });
  const isSet = (type: number, index: number) => sets.get(type)?.value.has(index) === true;
  const wanted: Record<string, boolean> = {};
  const fixed: Record<string, boolean> = {};
  for (const [index, name] of namesOfFeatures(socket).entries()) {
    const isFixed = !isSet(e.ETHTOOL_A_FEATURES_HW, index) || isSet(e.ETHTOOL_A_FEATURES_NOCHANGE, index);
    if (name === "") continue;
    if (isFixed) fixed[name] = isSet(e.ETHTOOL_A_FEATURES_ACTIVE, index);
    else wanted[name] = isSet(e.ETHTOOL_A_FEATURES_WANTED, index);
  }
  return { wanted, fixed };
}

/** Answers the names of those that are not as asked: the kernel acknowledges what it did not do. */
export function setFeatures(socket: NetlinkSocket, ifindex: number, features: Switches): string[] {
  using message = deviceMessage(socket, ifindex, e.ETHTOOL_MSG_FEATURES_SET);
  putBitset(message, e.ETHTOOL_A_FEATURES_WANTED, features);
  const missed: string[] = [];
  socket.get("ETHTOOL_MSG_FEATURES_SET", `features of link ${ifindex}`, message, ({ payload }) => {
    for (const at = new AttributeReader(payload, GENL_HDRLEN); at.next(); ) {
      if (at.type !== e.ETHTOOL_A_FEATURES_WANTED) continue;
      const { mask } = readBitset(at.nested());
      missed.push(...namesOfFeatures(socket).filter((name, index) => name in features && mask?.has(index)));
    }
  });
  return missed;
}

/** Throws SysError EOPNOTSUPP when the driver has none. */
export function readPrivateFlags(socket: NetlinkSocket, ifindex: number): Switches {
  let flags: Bitset | undefined;
  ask(socket, ifindex, e.ETHTOOL_MSG_PRIVFLAGS_GET, "private flags", (at) => {
    if (at.type === e.ETHTOOL_A_PRIVFLAGS_FLAGS) flags = readBitset(at.nested());
  });
  const names = readStrings(socket, e.ETH_SS_PRIV_FLAGS, ifindex);
  return Object.fromEntries(names.map((name, index) => [name, flags?.value.has(index) === true]));
}

export function setPrivateFlags(socket: NetlinkSocket, ifindex: number, flags: Switches): void {
  using message = deviceMessage(socket, ifindex, e.ETHTOOL_MSG_PRIVFLAGS_SET);
  putBitset(message, e.ETHTOOL_A_PRIVFLAGS_FLAGS, flags);
  socket.request("ETHTOOL_MSG_PRIVFLAGS_SET", `private flags of link ${ifindex}`, message);
}

/** Throws SysError EOPNOTSUPP when the driver has no such group. */
export function readSettings(socket: NetlinkSocket, ifindex: number, group: SettingsGroup): Settings {
  const { get, settings } = SETTINGS[group];
  const found: Record<string, number> = {};
  const known = Object.entries(settings);
  ask(socket, ifindex, get, group, (at) => {
    const setting = known.find(([, { attribute }]) => attribute === at.type);
    if (setting === undefined) return;
    const [name, { bytes }] = setting;
    found[name] = bytes === 1 ? at.u8() : at.u32();
  });
  return found;
}

/** Sets those that are named. Throws SysError (EOPNOTSUPP, EINVAL with the kernel's word for what it does not like). */
export function setSettings(socket: NetlinkSocket, ifindex: number, group: SettingsGroup, values: Settings): void {
  const { set, settings } = SETTINGS[group];
  using message = deviceMessage(socket, ifindex, set);
  for (const [name, value] of Object.entries(values)) {
    const setting = settings[name];
    if (setting === undefined) throw new Error(`There is no setting ${name} among ${group}.`);
    message.put(setting.attribute, setting.bytes === 1 ? u8(value) : u32(value));
  }
  socket.request(`ETHTOOL_MSG_${group.toUpperCase()}_SET`, `${group} of link ${ifindex}`, message);
}

function namesOfFeatures(socket: NetlinkSocket): readonly string[] {
  featureNames ??= readStrings(socket, e.ETH_SS_FEATURES);
  return featureNames;
}

/** A set of strings, of all links or of one. */
function readStrings(socket: NetlinkSocket, id: number, ifindex?: number): readonly string[] {
  using message = deviceMessage(socket, ifindex, e.ETHTOOL_MSG_STRSET_GET);
  putNested(message, e.ETHTOOL_A_STRSET_STRINGSETS, (sets) =>
    putNested(sets, e.ETHTOOL_A_STRINGSETS_STRINGSET, (set) => set.put(e.ETHTOOL_A_STRINGSET_ID, u32(id))),
  );
  const names: string[] = [];
  socket.get("ETHTOOL_MSG_STRSET_GET", `string set ${id}`, message, ({ payload }) => {
    for (const sets of within(new AttributeReader(payload, GENL_HDRLEN), e.ETHTOOL_A_STRSET_STRINGSETS))
      for (const set of within(sets, e.ETHTOOL_A_STRINGSETS_STRINGSET))
        for (const strings of within(set, e.ETHTOOL_A_STRINGSET_STRINGS))
          for (const string of within(strings, e.ETHTOOL_A_STRINGS_STRING)) readString(string, names);
  });
  // Bits without a name leave holes.
  return Array.from(names, (name) => name ?? "");
}

function readString(at: AttributeReader, names: string[]): void {
  let index = names.length;
  let value = "";
  while (at.next()) {
    if (at.type === e.ETHTOOL_A_STRING_INDEX) index = at.u32();
    else if (at.type === e.ETHTOOL_A_STRING_VALUE) value = at.text();
  }
  if (index <= MAX_STRINGS) names[index] = value;
}

/** The kernel has some 70 features, and no driver hundreds of flags. */
const MAX_STRINGS = 4096;

function* within(at: AttributeReader, type: number): Generator<AttributeReader, void, undefined> {
  while (at.next()) if (at.type === type) yield at.nested();
}

function ask(
  socket: NetlinkSocket,
  ifindex: number,
  command: number,
  what: string,
  read: (at: AttributeReader) => void,
): void {
  using message = deviceMessage(socket, ifindex, command);
  socket.get("ETHTOOL_MSG_GET", `${what} of link ${ifindex}`, message, ({ payload }) => {
    for (const at = new AttributeReader(payload, GENL_HDRLEN); at.next(); ) read(at);
  });
}

function deviceMessage(socket: NetlinkSocket, ifindex: number | undefined, command: number): NlMessage {
  family ??= familyId(socket, "ethtool");
  const message = genericMessage(family, command, e.ETHTOOL_GENL_VERSION);
  // Every message of the family has its header in attribute 1.
  putNested(message, e.ETHTOOL_A_FEATURES_HEADER, (header) => {
    if (ifindex !== undefined) header.put(e.ETHTOOL_A_HEADER_DEV_INDEX, u32(ifindex));
    header.put(e.ETHTOOL_A_HEADER_FLAGS, u32(e.ETHTOOL_FLAG_COMPACT_BITSETS));
  });
  return message;
}
