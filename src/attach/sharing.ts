/** Several claims on one device, and links of the host on it: what goes together. Pure. */

import { type ChildPlan, type ClaimDevice, keyText } from "../claims/record.ts";
import { ClaimError } from "../lib/errors.ts";
import type { Link } from "../netlink/link.ts";
import { agree } from "../netlink/new-kind-data.ts";
import { entersNamespace } from "./plan.ts";

type Holder = Pick<
  ClaimDevice,
  "claimUid" | "request" | "device" | "shareId" | "claimNamespace" | "claimName" | "podNamespace" | "podName" | "plan"
>;

/**
 * Refuses records that cannot be beside those there are: a device is either passed through or a parent, and parents do
 * not take every child beside every other. Devices without a link can be in several pods.
 */
export function checkSharing(records: readonly Holder[], others: readonly Holder[]): void {
  for (const [at, record] of records.entries()) {
    for (const other of [...others, ...records.slice(0, at)]) {
      if (other.device !== record.device || keyText(other) === keyText(record)) continue;
      if (!entersNamespace(other.plan)) continue;
      const problem = problemBeside(record, other);
      if (problem !== undefined) throw new ClaimError(`device ${record.device} ${problem}`);
    }
  }
}

/** The same for a device that is away, whose plan cannot be made. */
export function checkNotAway(device: string, wantsChild: boolean, others: readonly Holder[]): void {
  const holder = others.find(
    (other) => other.device === device && entersNamespace(other.plan) && other.plan.child === undefined,
  );
  if (holder !== undefined) throw new ClaimError(`device ${device} ${passedThrough(holder, wantsChild)}`);
}

function passedThrough(holder: Holder, wantsChild: boolean): string {
  return wantsChild
    ? `is passed through to ${nameOf(holder)}, and cannot be the parent of another link meanwhile`
    : `is passed through to ${nameOf(holder)} already, and a link is in one place only: give both interface.type IPVLAN, MACVLAN or VLAN to share it`;
}

function nameOf({ claimNamespace, claimName, podNamespace, podName }: Holder): string {
  return `claim ${claimNamespace}/${claimName} of pod ${podNamespace}/${podName}`;
}

function problemBeside({ plan: { child } }: Holder, other: Holder): string | undefined {
  const holder = nameOf(other);
  const standing = other.plan.child;
  if (standing === undefined) return passedThrough(other, child !== undefined);
  if (child === undefined)
    return `is the parent of a link of ${holder}, and cannot be passed through meanwhile: give interface.type IPVLAN, MACVLAN or VLAN to share it`;
  const problem = problemWith(child, standing);
  return problem === undefined ? undefined : `has a link of ${holder} on it already, and ${problem}`;
}

/** Refuses a child that the kernel would not make, or whose making would change another link, for the sake of links of the host. */
export function checkParent(child: ChildPlan, parent: Link, links: readonly Link[]): void {
  const master = links.find(({ ifindex }) => ifindex === parent.master);
  if (child.kind !== "vlan" && master !== undefined && master.kind !== "vrf")
    throw new ClaimError(
      `${parent.ifname} is a port of ${master.ifname}, which takes all that comes in: it cannot be the parent of a link`,
    );
  for (const { ifname, lower, linkNetnsId, kind, kindData } of links) {
    if (lower !== parent.ifindex || linkNetnsId !== undefined || kind === undefined) continue;
    const problem = problemWith(child, { kind, kindData });
    if (problem !== undefined)
      throw new ClaimError(`${parent.ifname} has ${ifname} of the host on it already, and ${problem}`);
  }
}

/** Kinds that take what comes in by the parent: there is one of them at each link (netdev_rx_handler_register). */
const TAKERS: Readonly<Record<string, string>> = {
  macvlan: "macvlan",
  macvtap: "macvlan",
  ipvlan: "ipvlan",
  ipvtap: "ipvlan",
};

function problemWith(
  child: ChildPlan,
  other: { readonly kind: string; readonly kindData?: string | undefined },
): string | undefined {
  const [own, standing] = [TAKERS[child.kind], TAKERS[other.kind]];
  if (own !== undefined && standing !== undefined && own !== standing)
    return `${other.kind} and ${child.kind} links exclude each other on one parent`;
  const data = other.kindData ?? "";
  if (child.kind === "ipvlan" && standing === "ipvlan" && !agree("ipvlan", child.kindData, data))
    return "all ipvlan links on one parent have the same mode: give interface.ipvlan.mode as that one has it";
  if (child.kind === "vlan" && other.kind === "vlan" && agree("vlan", child.kindData, data))
    return "two links on one parent cannot have the same VLAN";
  return undefined;
}
