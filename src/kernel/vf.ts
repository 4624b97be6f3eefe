/** A VF by way of its PF, which is known by its bus address: its link has whatever name. */

import { SysError } from "../../ffi/sys-error.ts";
import { describeError } from "../lib/errors.ts";
import type { Link } from "../netlink/link.ts";
import { listLinks } from "../netlink/links.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import type { VfSettings, VfState } from "../netlink/vf.ts";
import type { VfSetting } from "../netlink/vf-codec.ts";
import { readVfs, setVf } from "../netlink/vfs.ts";
import type { FailedVfSetting, KernelCalls, VfView } from "./calls.ts";
import { ENODEV } from "./errnos.ts";

type VfPlace = Parameters<KernelCalls["readVf"]>[0];

export function readVf(socket: NetlinkSocket, place: VfPlace): VfView | undefined {
  const found = findVf(socket, place);
  return found === undefined ? undefined : { pfIfname: found.link.ifname, pfMtu: found.link.mtu, state: found.state };
}

/** One request for each setting, so that a refusal has a name. */
export function setVfSettings(
  socket: NetlinkSocket,
  { pf, index, settings }: Parameters<KernelCalls["setVf"]>[0],
): { readonly failed: readonly FailedVfSetting[] } {
  const found = findVf(socket, { pf, index });
  if (found === undefined) throw new SysError("RTM_GETLINK", ENODEV, `vf ${index} of the PF ${pf}`);
  const failed: FailedVfSetting[] = [];
  for (const setting of changesOf(settings, found.state)) {
    try {
      setVf(socket, found.link.ifindex, index, setting);
    } catch (error) {
      if (!(error instanceof SysError)) throw error;
      failed.push({ field: fieldOf(setting, settings), problem: describeError(error), errno: error.errno });
    }
  }
  return { failed };
}

/** A function with two ports has two links: the VF is seen by the one that it belongs to. */
function findVf(
  socket: NetlinkSocket,
  { pf, index }: VfPlace,
): { readonly link: Link; readonly state: VfState } | undefined {
  for (const link of listLinks(socket)) {
    if (link.kind !== undefined || link.parentDevName !== pf) continue;
    const state = readVfs(socket, link.ifindex).get(index);
    if (state !== undefined) return { link, state };
  }
  return undefined;
}

/**
 * Only what is not so already: some drivers reset the VF even then, and others refuse what they cannot change. A MAC
 * always: it may be so by the VF's own choice, which is to be no choice any more.
 */
function changesOf(settings: VfSettings, now: VfState): readonly VfSetting[] {
  const { mac, vlan, spoofCheck, trust, linkState } = settings;
  const minTxRate = settings.minTxRate ?? now.minTxRate;
  const maxTxRate = settings.maxTxRate ?? now.maxTxRate;
  return [
    ...(trust === undefined || trust === now.trust ? [] : [{ name: "trust", on: trust } as const]),
    ...(mac === undefined ? [] : [{ name: "mac", mac } as const]),
    ...(vlan === undefined || Bun.deepEquals(vlan, now.vlan) ? [] : [{ name: "vlan", vlan } as const]),
    ...(minTxRate === now.minTxRate && maxTxRate === now.maxTxRate
      ? []
      : [{ name: "txRate", minTxRate, maxTxRate } as const]),
    ...(spoofCheck === undefined || spoofCheck === now.spoofCheck
      ? []
      : [{ name: "spoofCheck", on: spoofCheck } as const]),
    ...(linkState === undefined || linkState === now.linkState ? [] : [{ name: "linkState", linkState } as const]),
  ];
}

function fieldOf({ name }: VfSetting, { minTxRate, maxTxRate }: VfSettings): string {
  if (name !== "txRate") return `vf.${name}`;
  return minTxRate === undefined || (maxTxRate !== undefined && minTxRate === 0) ? "vf.maxTxRate" : "vf.minTxRate";
}
