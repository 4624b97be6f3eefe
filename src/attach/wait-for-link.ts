import type { Link } from "../netlink/link.ts";
import type { AttachParts } from "./parts.ts";

/** Some drivers register the link in the background (iavf); by then they answer to their PF, or never. */
const LIMIT_MS = 5_000;
const POLL_MS = 20;

/** What `find` finds among the host's links, as soon as it is there; `undefined` when that takes too long. */
export async function waitForLink(
  { kernel, clock }: Pick<AttachParts, "kernel" | "clock">,
  find: (links: readonly Link[]) => Link | undefined,
): Promise<Link | undefined> {
  const deadline = clock.nowMs() + LIMIT_MS;
  for (;;) {
    const link = find(await kernel.listLinks({ netns: "host" }));
    if (link !== undefined || clock.nowMs() >= deadline) return link;
    await clock.sleep(POLL_MS);
  }
}
