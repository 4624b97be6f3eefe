/** A link that is made for the pod and stands on the device: into the pod and away again. */

import type { AwayLink, ChildPlan } from "../claims/record.ts";
import type { HeldNetns, Kernel, LinkSnapshot, NetnsRef } from "../kernel/calls.ts";
import { faultPoint } from "../lib/fault.ts";
import type { Link } from "../netlink/link.ts";
import { findInPod } from "./recognise.ts";

/** Nothing of a link that stays has to be brought back: it is only to be recognised. */
export function parentSnapshot(link: Link, nowMs: number): LinkSnapshot {
  return { takenAtMs: nowMs, link, addresses: [], routes: [], neighbors: [], sysctls: [] };
}

/**
 * Makes the child in the pod's namespace at once, under a name that is free in any, and answers its index there. The
 * kernel does this in one step: a crash leaves either nothing, or a child that the next attempt finds by that name.
 */
export async function makeChild(
  kernel: Pick<Kernel, "createLink">,
  { kind, kindData }: ChildPlan,
  at: { readonly parent: number; readonly netns: HeldNetns; readonly temporaryName: string },
): Promise<number> {
  const { ifindex } = await kernel.createLink({
    netns: "host",
    into: { fd: at.netns.fd },
    link: { ifname: at.temporaryName, kind, kindData, lower: at.parent },
  });
  faultPoint("attach.made");
  return ifindex;
}

/** With all that the pod put on it. */
export async function removeChild(
  kernel: Pick<Kernel, "listLinks" | "deleteLink">,
  record: AwayLink,
  netns: NetnsRef,
): Promise<void> {
  const link = findInPod(record, record.attachment, await kernel.listLinks({ netns }));
  if (link !== undefined) await kernel.deleteLink({ netns, ifindex: link.ifindex });
}
