/** Attributes of a VF that come from its PF, and of who is behind which switch, without their domain. */

import type { Link } from "../netlink/link.ts";
import type { PciDevice } from "../sysfs/pci.ts";
import type { Attributes } from "./attributes.ts";
import { clampText } from "./text-limit.ts";

export interface VfView {
  /** Of the VF. */
  readonly address: string;
  readonly pf: PciDevice;
  /** Absent while it is elsewhere, in a pod for instance. */
  readonly pfLink: Link | undefined;
}

/** `pfMtu` is the most that the VF's own MTU may be. */
export function vfAttributes(view: VfView | undefined): Attributes {
  if (view === undefined) return {};
  const { address, pf, pfLink } = view;
  const vfIndex = pf.virtfns.indexOf(address);
  return {
    pfPciAddress: { string: pf.address },
    ...(vfIndex < 0 ? {} : { vfIndex: { int: vfIndex } }),
    ...(pfLink === undefined ? {} : { pfName: { string: clampText(pfLink.ifname) }, pfMtu: { int: pfLink.mtu } }),
  };
}

/** Links with the same id are ports of one switch: PFs, their VFs and representors in switchdev mode. */
export function switchAttribute(physSwitchId: string | undefined): Attributes {
  return physSwitchId === undefined ? {} : { physSwitchId: { string: clampText(physSwitchId) } };
}
