/** IFLA_VFINFO_LIST: read what a PF tells of its VFs, and write one setting of one VF. */

import { ProtocolError } from "../lib/errors.ts";
import { AttributeBytes } from "./attribute-writer.ts";
import { AttributeReader } from "./attributes.ts";
import * as k from "./constants.ts";
import { formatMac, parseMac } from "./ip.ts";
import { VF_LINK_STATES, type VfLinkState, type VfState, type VfVlan, type VfVlanProtocol } from "./vf.ts";

/** struct ifinfomsg. */
const IFINFOMSG_BYTES = 16;
/** struct ifla_vf_mac {u32 vf; u8 mac[32]}: Ethernet has six of them. */
const VF_MAC_BYTES = 36;
const MAC_BYTES = 6;
/** What the kernel says of a switch that the driver does not know. */
const UNKNOWN = 0xffff_ffff;
/** linux/if_ether.h, in network byte order where they are written. */
const PROTOCOLS: Readonly<Record<VfVlanProtocol, number>> = { "802.1Q": 0x8100, "802.1ad": 0x88a8 };

type Draft = { -readonly [Key in keyof VfState]: VfState[Key] };

/** By index. Throws ProtocolError when the payload is no RTM_NEWLINK. */
export function decodeVfs(payload: Uint8Array): ReadonlyMap<number, VfState> {
  if (payload.length < IFINFOMSG_BYTES) throw new ProtocolError(`a link has ${payload.length} bytes, it needs 16`);
  const vfs = new Map<number, VfState>();
  const at = new AttributeReader(payload, IFINFOMSG_BYTES);
  while (at.next()) {
    if (at.type !== k.IFLA_VFINFO_LIST) continue;
    for (const list = at.nested(); list.next(); ) {
      if (list.type !== k.IFLA_VF_INFO) continue;
      const { index, state } = decodeVf(list.nested());
      if (index !== undefined) vfs.set(index, state);
    }
  }
  return vfs;
}

function decodeVf(at: AttributeReader): { readonly index: number | undefined; readonly state: VfState } {
  let index: number | undefined;
  const state: Draft = {
    mac: "00:00:00:00:00:00",
    vlan: { id: 0, qos: 0, protocol: "802.1Q" },
    minTxRate: 0,
    maxTxRate: 0,
    linkState: "auto",
  };
  while (at.next()) {
    switch (at.type) {
      case k.IFLA_VF_MAC:
        index = at.u32At(0);
        state.mac = formatMac(at.hex().slice(8, 8 + 2 * MAC_BYTES));
        break;
      case k.IFLA_VF_VLAN_LIST:
        state.vlan = decodeVlan(at.nested()) ?? state.vlan;
        break;
      case k.IFLA_VF_RATE:
        state.minTxRate = at.u32At(4);
        state.maxTxRate = at.u32At(8);
        break;
      case k.IFLA_VF_LINK_STATE:
        state.linkState = VF_LINK_STATES[at.u32At(4)] ?? "auto";
        break;
      case k.IFLA_VF_SPOOFCHK:
        if (at.u32At(4) !== UNKNOWN) state.spoofCheck = at.u32At(4) !== 0;
        break;
      case k.IFLA_VF_TRUST:
        if (at.u32At(4) !== UNKNOWN) state.trust = at.u32At(4) !== 0;
        break;
    }
  }
  return { index, state };
}

/** struct ifla_vf_vlan_info {u32 vf, vlan, qos; be16 protocol}. A VF has one, says the kernel. */
function decodeVlan(at: AttributeReader): VfVlan | undefined {
  while (at.next()) {
    if (at.type !== k.IFLA_VF_VLAN_INFO) continue;
    const bytes = at.u32At(12);
    const protocol = ((bytes & 0xff) << 8) | ((bytes >> 8) & 0xff);
    return {
      id: at.u32At(4),
      qos: at.u32At(8),
      protocol: protocol === PROTOCOLS["802.1ad"] ? "802.1ad" : "802.1Q",
    };
  }
  return undefined;
}

/** One setting as the kernel takes it. The rates are one. */
export type VfSetting =
  | { readonly name: "mac"; readonly mac: string }
  | { readonly name: "vlan"; readonly vlan: VfVlan }
  | { readonly name: "txRate"; readonly minTxRate: number; readonly maxTxRate: number }
  | { readonly name: "spoofCheck"; readonly on: boolean }
  | { readonly name: "trust"; readonly on: boolean }
  | { readonly name: "linkState"; readonly linkState: VfLinkState };

/** Content of IFLA_VFINFO_LIST. */
export function encodeVfSetting(index: number, setting: VfSetting): Uint8Array {
  const info = new AttributeBytes();
  switch (setting.name) {
    case "mac": {
      const data = new Uint8Array(VF_MAC_BYTES);
      data.set(words(index));
      data.set(parseMac(setting.mac), 4);
      info.put(k.IFLA_VF_MAC, data);
      break;
    }
    case "vlan":
      info.put(k.IFLA_VF_VLAN_LIST | k.NLA_F_NESTED, encodeVlan(index, setting.vlan));
      break;
    case "txRate":
      info.put(k.IFLA_VF_RATE, words(index, setting.minTxRate, setting.maxTxRate));
      break;
    case "spoofCheck":
      info.put(k.IFLA_VF_SPOOFCHK, words(index, Number(setting.on)));
      break;
    case "trust":
      info.put(k.IFLA_VF_TRUST, words(index, Number(setting.on)));
      break;
    case "linkState":
      info.put(k.IFLA_VF_LINK_STATE, words(index, VF_LINK_STATES.indexOf(setting.linkState)));
      break;
  }
  return new AttributeBytes().put(k.IFLA_VF_INFO | k.NLA_F_NESTED, info.bytes).bytes;
}

function encodeVlan(index: number, { id, qos, protocol }: VfVlan): Uint8Array {
  const code = PROTOCOLS[protocol];
  const data = words(index, id, qos, ((code & 0xff) << 8) | (code >> 8));
  return new AttributeBytes().put(k.IFLA_VF_VLAN_INFO, data).bytes;
}

function words(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
