/** What a pod put on a link, taken off before the link goes home. */

import { describeError } from "../lib/errors.ts";
import type { Link } from "../netlink/link.ts";
import { changeLink, deleteLink, listLinks } from "../netlink/links.ts";
import type { KernelCalls } from "./calls.ts";
import { detachPrograms } from "./detach-programs.ts";
import { accepting, ENODEV } from "./errnos.ts";
import type { Namespaces } from "./namespaces.ts";

/** Tries everything; a link that is gone has nothing on it. */
export function clearLink(
  namespaces: Namespaces,
  { netns, ifindex, programs, spare }: Parameters<KernelCalls["clearLink"]>[0],
): ReturnType<KernelCalls["clearLink"]> {
  return namespaces.withSocket(netns, (socket) => {
    const removed: string[] = [];
    const problems: string[] = [];
    const take = (what: string, task: () => void) => {
      try {
        accepting([ENODEV], task);
        removed.push(what);
      } catch (error) {
        problems.push(`${what} cannot be removed: ${describeError(error)}`);
      }
    };
    const links = listLinks(socket);
    const link = links.find((candidate) => candidate.ifindex === ifindex);
    if (link === undefined) return { removed, problems };
    const uppers = spare === "all" ? [] : uppersOf(link, links).filter((upper) => !spare.includes(upper.ifindex));
    for (const { kind, ifname, ifindex: upper } of uppers) take(`${kind} ${ifname}`, () => deleteLink(socket, upper));
    if (spare !== "all" && link.master !== undefined && link.master !== 0) {
      const master = links.find((candidate) => candidate.ifindex === link.master);
      take(`master ${master?.ifname ?? link.master}`, () => changeLink(socket, ifindex, { master: 0 }));
    }
    const detached = detachPrograms({
      socket,
      inside: (task) => namespaces.inside(netns, task),
      ifindex,
      isUnwanted: (programId) => !programs.includes(programId),
    });
    return { removed: [...removed, ...detached.removed], problems: [...problems, ...detached.problems] };
  });
}

/** Links of the same namespace that stand on this one. A veth's ends name each other, and neither stands on the other. */
function uppersOf({ ifindex, lower, linkNetnsId }: Link, links: readonly Link[]): readonly Link[] {
  return links.filter((other) => {
    const isPeer = lower === other.ifindex && linkNetnsId === undefined;
    const standsOnIt = other.lower === ifindex && other.linkNetnsId === undefined;
    return standsOnIt && !isPeer && other.ifindex !== ifindex && other.kind !== undefined;
  });
}
