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

/** What the descriptors of this process stand for (`socket:[4711]`), without what the runtime opens when it likes. */
export function openDescriptors(): string[] {
  return readdirSync("/proc/self/fd")
    .flatMap((fd) => targetOf(fd) ?? [])
    .filter((target) => !/^(anon_inode:|pipe:|\/dev\/)/.test(target));
}

/** `undefined` for the directory's own descriptor, which is closed by now. */
function targetOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

export function failOnLeaks(): void {
  const forgotten: string[] = [];
  let descriptorsBefore: readonly string[] = [];
  let handlesBefore: Readonly<Record<string, number>> = {};

  beforeAll(() => {
    run(["true"]); // what the runtime needs for children is open from here on
    onForgottenHandle((report) => forgotten.push(report), true);
    descriptorsBefore = openDescriptors();
    handlesBefore = liveHandles();
  });

  afterAll(async () => {
    const look = () => {
      Bun.gc(true);
      expect({ descriptors: added(descriptorsBefore, openDescriptors()), handles: liveHandles() }).toEqual({
        descriptors: [],
        handles: handlesBefore,
      });
      return true;
    };
    await eventually("the end of all descriptors and handles", look, LIMIT_MS);
    expect(forgotten).toEqual([]);
  }, 2 * LIMIT_MS);
}

/** What is in `now` more often than in `before`. */
export function added(before: readonly string[], now: readonly string[]): string[] {
  const left = [...before];
  return now.filter((target) => {
    const at = left.indexOf(target);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
