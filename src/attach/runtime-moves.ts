import { type ClaimDevice, hasLink } from "../claims/record.ts";
import type { Kernel } from "../kernel/calls.ts";
import { findOnHost } from "./recognise.ts";

/**
 * The links that the runtime has to move with the container that is being made, name on the host → name in the pod: those
 * of `records` that are still on the host. Later containers of the pod join the namespace that they are in.
 */
export async function runtimeMoves(
  kernel: Pick<Kernel, "listLinks">,
  records: readonly ClaimDevice[],
): Promise<Readonly<Record<string, string>>> {
  const awaited = records.filter(({ plan }) => plan.movedBy === "oci");
  if (awaited.length === 0) return {};
  const links = await kernel.listLinks({ netns: "host" });
  const moves: Record<string, string> = {};
  for (const record of awaited) {
    const { attachment, plan } = record;
    if (attachment === undefined || plan.ifname === undefined) continue;
    const away = { ...record, attachment };
    const link = hasLink(away) ? findOnHost(away.attachment, links) : undefined;
    if (link !== undefined) moves[link.ifname] = plan.ifname;
  }
  return moves;
}
