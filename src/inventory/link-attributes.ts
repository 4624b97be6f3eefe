/** Attributes of a device that come from its link, without their domain: names, types and values as DRANET has them. */

import type { Address } from "../netlink/address.ts";
import type { Link } from "../netlink/link.ts";
import type { Attributes } from "./attributes.ts";
import type { AttributeValue } from "./device.ts";
import { encapsulationName, operstateName } from "./encapsulation.ts";
import type { ProgramNames } from "./facts.ts";
import { isGlobalUnicast } from "./global-unicast.ts";
import { clampText, joinEntries } from "./text-limit.ts";

export interface LinkView {
  readonly link: Link;
  /** Those of this link. */
  readonly addresses: readonly Address[];
  readonly isVirtual: boolean;
  readonly programs?: ProgramNames | undefined;
  readonly sriov: SriovRole;
}

export interface SriovRole {
  /** How many VFs the function of this link may have and has; 0 on anything but a PF. */
  readonly totalVfs: number;
  readonly numVfs: number;
  readonly isVf: boolean;
}

export function linkAttributes(view: LinkView): Attributes {
  const { link, sriov } = view;
  return {
    ifName: text(link.ifname),
    mac: text(link.address ?? ""),
    mtu: { int: link.mtu },
    encapsulation: { string: encapsulationName(link.arpType) },
    alias: text(link.alias ?? ""),
    state: { string: operstateName(link.operstate) },
    type: text(typeName(link.kind)),
    virtual: { bool: view.isVirtual },
    sriov: { bool: sriov.totalVfs > 0 },
    ...(sriov.totalVfs > 0 ? { sriovVfs: { int: sriov.numVfs } } : {}),
    ...(sriov.isVf ? { isSriovVf: { bool: true } } : {}),
    ...addressAttribute("ipv4", view.addresses),
    ...addressAttribute("ipv6", view.addresses),
    ...(view.programs === undefined ? {} : programAttributes(view.programs)),
  };
}

/** The link's kind by the name that vishvananda/netlink gives its type. */
function typeName(kind: string | undefined): string {
  if (kind === undefined || kind === "") return "device";
  return kind === "tun" ? "tuntap" : kind;
}

/** Global unicast addresses as CIDRs; the attribute is absent where there is none. */
function addressAttribute(family: "ipv4" | "ipv6", addresses: readonly Address[]): Attributes {
  const joined = joinEntries(
    addresses.filter((address) => address.family === family && isGlobalUnicast(address.local)).map(cidr),
  );
  return joined === "" ? {} : { [family]: { string: joined } };
}

/** A point-to-point address belongs to no prefix of its own: its length is the far end's. */
function cidr(address: Address): string {
  const bits = address.family === "ipv4" ? 32 : 128;
  return `${address.local}/${address.peer === undefined ? address.prefixLength : bits}`;
}

function programAttributes(programs: ProgramNames): Attributes {
  const filters = joinEntries(programs.tcFilterNames.filter(isNamed));
  const tcx = joinEntries(programs.tcxProgramNames.filter(isNamed));
  return {
    ebpf: { bool: programs.tcFilterNames.length + programs.tcxProgramNames.length > 0 },
    ...(filters === "" ? {} : { tcFilterNames: { string: filters } }),
    ...(tcx === "" ? {} : { tcxProgramNames: { string: tcx } }),
  };
}

/** Classic bytecode and programs whose loader gave no name count, and have nothing to be listed by. */
function isNamed(name: string): boolean {
  return name !== "";
}

function text(value: string): AttributeValue {
  return { string: clampText(value) };
}
