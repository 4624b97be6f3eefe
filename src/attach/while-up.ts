import type { RaisedLinks } from "../claims/raised-links.ts";
import type { Kernel, LinkSnapshot } from "../kernel/calls.ts";
import type { Clock } from "../lib/clock.ts";
import { ClaimError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { IFF_LOWER_UP, IFF_UP, type Link } from "../netlink/link.ts";
import { restoreSteps } from "./restore.ts";

const LOOK_AGAIN_MS = 50;

export interface WhileUpParts {
  readonly kernel: Pick<Kernel, "applySteps" | "listLinks" | "snapshotLink">;
  readonly clock: Clock;
  readonly raised: Pick<RaisedLinks, "put" | "remove">;
}

/**
 * Runs `task` while the host's link is up and has a carrier, and leaves the link as `before` has it. Rejects with a
 * ClaimError when there is no carrier before `signal` aborts.
 */
export async function whileUp<T>(
  parts: WhileUpParts,
  before: LinkSnapshot,
  signal: AbortSignal,
  task: (link: Link) => Promise<T>,
): Promise<T> {
  const { kernel } = parts;
  const { ifindex } = before.link;
  if ((before.link.flags & IFF_UP) !== 0) return task(await withCarrier(parts, before.link, signal));
  parts.raised.put(before);
  try {
    await kernel.applySteps({ netns: "host", ifindex, steps: [{ op: "up" }], onFailure: "stop" });
    faultPoint("dhcp.linkUp");
    return await task(await withCarrier(parts, before.link, signal));
  } finally {
    await putDown(parts, before);
  }
}

async function withCarrier({ kernel, clock }: WhileUpParts, known: Link, signal: AbortSignal): Promise<Link> {
  for (let link: Link | undefined = known; link !== undefined; ) {
    if ((link.flags & IFF_LOWER_UP) !== 0) return link;
    const links = await kernel.listLinks({ netns: "host" });
    link = links.find(({ ifindex }) => ifindex === known.ifindex);
    if (signal.aborted)
      throw new ClaimError(`${known.ifname} has no carrier: is its cable plugged in, and its other end up?`);
    if (link !== undefined && (link.flags & IFF_LOWER_UP) === 0)
      await clock.sleep(LOOK_AGAIN_MS, signal).catch(() => undefined); // the next look tells that time is up
  }
  throw new ClaimError(`${known.ifname} is gone from the host`);
}

/** Down as it was before; the kernel flushes IPv6 addresses and permanent neighbours of a link that goes down. */
export async function putDown({ kernel, clock, raised }: WhileUpParts, before: LinkSnapshot): Promise<void> {
  const { ifindex } = before.link;
  await kernel.applySteps({ netns: "host", ifindex, steps: [{ op: "down" }], onFailure: "stop" });
  const now = await kernel.snapshotLink({ netns: "host", ifindex });
  const steps = restoreSteps(before, now, clock.nowMs());
  await kernel.applySteps({ netns: "host", ifindex, steps, onFailure: "continue" });
  raised.remove(before);
}
