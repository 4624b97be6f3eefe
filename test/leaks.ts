/**
 * A net under the tests that touch the kernel: `failOnLeaks()` at the top of a file makes it fail when descriptors or
 * native handles are left when its tests are over, and when the garbage collector finds a handle that nobody released.
 */

import { afterAll, beforeAll, expect } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { liveHandles, onForgottenHandle } from "../ffi/owned.ts";
import { eventually, run } from "./lab/netns.ts";

/** Worker threads and the event loop close what they had a moment after they are told to. */
const LIMIT_MS = 10_000;

/** Sockets, namespaces and files of this process by what they are; not what the runtime opens when it likes. */
export function openDescriptors(): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const fd of readdirSync("/proc/self/fd")) {
    const kind = kindOf(fd);
    if (kind !== undefined) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function kindOf(fd: string): string | undefined {
  let target: string;
  try {
    target = readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined; // the directory's own descriptor, closed by now
  }
  if (target.startsWith("anon_inode:") || target.startsWith("pipe:") || target.startsWith("/dev/")) return undefined;
  return /^(socket|net|\/memfd)/.exec(target)?.[1] ?? target;
}

export function failOnLeaks(): void {
  const forgotten: string[] = [];
  let before: Readonly<Record<string, number>> = {};
  let handlesBefore: Readonly<Record<string, number>> = {};

  beforeAll(() => {
    run(["true"]); // what the runtime needs for children is open from here on
    onForgottenHandle((report) => forgotten.push(report));
    before = openDescriptors();
    handlesBefore = liveHandles();
  });

  afterAll(async () => {
    const look = () => {
      Bun.gc(true);
      const left = { descriptors: excess(openDescriptors(), before), handles: excess(liveHandles(), handlesBefore) };
      expect(left).toEqual({ descriptors: {}, handles: {} });
      return true;
    };
    await eventually("the end of all descriptors and handles", look, LIMIT_MS);
    expect(forgotten).toEqual([]);
  }, 2 * LIMIT_MS);
}

/** What there is more of than before; the runtime may have closed something of its own meanwhile. */
function excess(now: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>): object {
  return Object.fromEntries(Object.entries(now).filter(([kind, count]) => count > (before[kind] ?? 0)));
}
