/** What the demo's steps insist on. */

import { closeSync } from "node:fs";
import type { Kernel, NetnsRef } from "../kernel/calls.ts";
import { describeError } from "../lib/errors.ts";
import { POD_LINK } from "./claim.ts";
import { differences, isUp, type LinkState, readLink } from "./link-state.ts";
import type { PingResult } from "./ping.ts";
import type { DemoPod } from "./runtime/runtime.ts";

const SETTLE_LIMIT_MS = 5_000;
const LOOK_AGAIN_MS = 20;

/** Throws `problem` unless the condition holds. */
export function insist(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(problem);
}

/** The reason why a container was refused. Throws when it was not, or for another reason than one that holds `why`. */
export async function refusal(container: Promise<unknown>, why: string): Promise<string> {
  const reason = await container.then(
    () => undefined,
    (error: unknown) => describeError(error),
  );
  insist(reason !== undefined, "the container started, although the device of its claim is not in its pod");
  insist(reason.includes(why), `the container was refused for another reason: ${reason}`);
  return reason;
}

/** The claimed link within the pod. Throws unless it is there and up. */
export async function podLink(kernel: Kernel, { netnsPath }: DemoPod): Promise<LinkState> {
  const netns = await kernel.holdNetns({ path: netnsPath });
  try {
    return await requireLink(kernel, netns, POD_LINK);
  } finally {
    closeSync(netns.fd);
  }
}

/** The link, once it is up and has a carrier. */
export async function requireLink(kernel: Kernel, netns: NetnsRef, ifname: string): Promise<LinkState> {
  await settled(`the link ${ifname} is not as it should be`, async () => {
    const now = await readLink(kernel, netns, ifname);
    if (now === undefined) return ["it is not there"];
    return isUp(now) ? [] : ["it is not up, or has no carrier"];
  });
  const state = await readLink(kernel, netns, ifname);
  insist(state !== undefined, `the link ${ifname} is not there any more`);
  return state;
}

export function unchanged(before: LinkState, after: LinkState): void {
  const changes = differences(before, after);
  insist(changes.length === 0, `the link changed:\n${changes.join("\n")}`);
}

/** What a container wrote, for people. Throws when an address did not answer. */
export function describePings(output: string): readonly string[] {
  const results: readonly PingResult[] = JSON.parse(output);
  return results.map(({ address, times }) => {
    insist(times.length > 0, `nobody answers at ${address}`);
    return `${address} answers in ${times.map((time) => `${time.toFixed(3)} ms`).join(", ")}`;
  });
}

/** Asks until there are no problems left, for what the kernel or another process finishes in a moment. */
export async function settled(what: string, problems: () => Promise<readonly string[]>): Promise<void> {
  const endMs = performance.now() + SETTLE_LIMIT_MS;
  for (let left = await problems(); left.length > 0; left = await problems()) {
    insist(performance.now() < endMs, `${what}:\n${left.join("\n")}`);
    await Bun.sleep(LOOK_AGAIN_MS);
  }
}
