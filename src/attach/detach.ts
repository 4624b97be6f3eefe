/** One device's way home: out of the pod, back to what its snapshot says. */

import { type Attachment, atHome, type ClaimDevice } from "../claims/record.ts";
import type { FailedStep, NetnsRef } from "../kernel/calls.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { isGone } from "./gone.ts";
import { type AttachParts, logFields } from "./parts.ts";
import { findInPod, findOnHost } from "./recognise.ts";
import { makeAnew } from "./recreate.ts";
import { restoreSteps } from "./restore.ts";

type Away = ClaimDevice & { readonly attachment: Attachment };

/**
 * Brings the device home from wherever it is and answers its record, `prepared`. The receipt goes first, so that no
 * container starts on a device that is leaving. Throws when the device cannot be brought home now; asking again is
 * always right. A virtual link that died with its namespace is made anew, or reported as lost and forgotten.
 */
export async function bringHome(parts: AttachParts, record: ClaimDevice): Promise<ClaimDevice> {
  if (record.attachment === undefined) return record;
  const away: Away = { ...record, attachment: record.attachment, state: "detaching" };
  parts.receipts.remove(record.claimUid);
  parts.store.put([away]);
  faultPoint("detach.receiptRemoved");
  const ifindex = (await moveOut(parts, away)) ?? (await findAtHome(parts, away)) ?? (await recreate(parts, away));
  faultPoint("detach.moved");
  const problems = ifindex === undefined ? [] : await restore(parts, away, ifindex);
  faultPoint("detach.restored");
  const home = atHome(record);
  parts.store.put([home]);
  if (parts.store.ofSandbox(away.attachment.sandboxId).length === 0) parts.held.release(away.attachment.sandboxId);
  if (ifindex !== undefined) parts.observer.cameHome?.(home, problems);
  return home;
}

/** The pod's namespace → the host; `undefined` when the namespace, or the link in it, is gone. */
async function moveOut(parts: AttachParts, { attachment, ...record }: Away): Promise<number | undefined> {
  const netns = await namespaceOf(parts, attachment);
  if (netns === undefined) return undefined;
  const link = findInPod({ ...record, attachment }, attachment, await parts.kernel.listLinks({ netns }));
  if (link === undefined) return undefined;
  const { temporaryName } = attachment;
  const moved = await parts.kernel.moveLink({ from: netns, ifindex: link.ifindex, to: "host", temporaryName });
  return moved.ifindex;
}

/** Held since the attach, or, after a restart, opened again where it is still the same namespace. */
async function namespaceOf(parts: AttachParts, attachment: Attachment): Promise<NetnsRef | undefined> {
  const held = parts.held.get(attachment.sandboxId);
  if (held !== undefined) return { fd: held.fd };
  try {
    const opened = await parts.held.hold(attachment.sandboxId, attachment.netnsPath);
    if (opened.inode === attachment.netnsInode) return { fd: opened.fd };
    parts.held.release(attachment.sandboxId);
    return undefined;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

async function findAtHome(parts: AttachParts, { attachment }: Away): Promise<number | undefined> {
  return findOnHost(attachment, await parts.kernel.listLinks({ netns: "host" }))?.ifindex;
}

async function recreate(parts: AttachParts, record: Away): Promise<number | undefined> {
  const { snapshot } = record.attachment;
  if (snapshot.link.kind === undefined)
    throw new ClaimError(
      `${record.device} (${snapshot.link.ifname}) is neither in the pod's namespace nor on the host yet: a dying namespace gives hardware back within seconds, and another process that holds the namespace open keeps it`,
    );
  const made = await makeAnew(parts.kernel, record.attachment);
  if ("ifindex" in made) {
    parts.log.warn("link died with its namespace and was made anew", {
      ...logFields(record),
      ifname: snapshot.link.ifname,
    });
    return made.ifindex;
  }
  parts.log.error("link is lost", { ...logFields(record), ifname: snapshot.link.ifname, reason: made.impossible });
  parts.observer.lost?.(record, made.impossible);
  return undefined;
}

async function restore(parts: AttachParts, record: Away, ifindex: number): Promise<readonly string[]> {
  const before = record.attachment.snapshot;
  const now = await parts.kernel.snapshotLink({ netns: "host", ifindex });
  const steps = restoreSteps(before, now, parts.clock.nowMs());
  const { failed } = await parts.kernel.applySteps({
    netns: "host",
    ifindex,
    wasIfindex: before.link.ifindex,
    steps,
    onFailure: "continue",
  });
  const rename = failed.find(({ step }) => step.op === "rename");
  if (rename !== undefined)
    throw new ClaimError(
      `${record.device} is on the host but cannot have its name ${before.link.ifname} back: ${rename.problem}`,
    );
  const problems = failed.map(problemText);
  for (const problem of problems)
    parts.log.warn("a part of the link's state did not come back", {
      ...logFields(record),
      ifname: before.link.ifname,
      problem,
    });
  return problems;
}

function problemText({ step, problem }: FailedStep): string {
  return `${step.op}: ${describeError(problem)}`;
}
