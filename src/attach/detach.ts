/** One device's way home: out of the pod, back to what its snapshot says. */

import {
  type Attachment,
  type AwayDevice,
  type AwayLink,
  atHome,
  type ClaimDevice,
  hasLink,
  keyText,
} from "../claims/record.ts";
import type { FailedStep, LinkSnapshot, NetnsRef } from "../kernel/calls.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import type { Link } from "../netlink/link.ts";
import { removeChild } from "./child.ts";
import { isGone } from "./gone.ts";
import { lostSentences } from "./lost.ts";
import { type AttachParts, logFields } from "./parts.ts";
import { bringRdmaHome, releaseRdma, settleRdma } from "./rdma.ts";
import { findInPod, findOnHost } from "./recognise.ts";
import { makeAnew } from "./recreate.ts";
import { restoreSteps } from "./restore.ts";
import { settleVf, takeBack } from "./take-back.ts";
import { vrfNames } from "./vrf.ts";
import { waitForLink } from "./wait-for-link.ts";

/**
 * Brings the device home from wherever it is and answers its record, `prepared`. The receipt goes first, so that no
 * container starts on a device that is leaving. Throws when the device cannot be brought home now; asking again is
 * always right. A virtual link that died with its namespace is made anew, or reported as lost and forgotten.
 */
export async function bringHome(parts: AttachParts, record: ClaimDevice): Promise<ClaimDevice> {
  if (record.attachment === undefined) return record;
  const away: AwayDevice = { ...record, attachment: record.attachment, state: "detaching" };
  parts.receipts.remove(record.claimUid);
  parts.store.put([away]);
  faultPoint("detach.receiptRemoved");
  const rdmaProblems = await bringRdmaHome(parts, away, () => namespaceOf(parts, away.attachment));
  const linkProblems = hasLink(away) ? await bringLinkHome(parts, away) : await bringFunctionHome(parts, away);
  const problems = linkProblems && [...rdmaProblems, ...linkProblems, ...(await settleRdma(parts, away))];
  faultPoint("detach.restored");
  const home = atHome(record);
  parts.store.put([home]);
  if (parts.store.ofSandbox(away.attachment.sandboxId).length === 0) parts.held.release(away.attachment.sandboxId);
  if (problems !== undefined) parts.observer.cameHome?.(home, problems);
  return home;
}

/** What of its state did not come back; `undefined` for a link that is lost. */
async function bringLinkHome(parts: AttachParts, away: AwayLink): Promise<readonly string[] | undefined> {
  if (away.plan.child !== undefined) return dropChild(parts, away);
  const cleared: string[] = [];
  const onProblem = (problem: string) => void cleared.push(problem);
  const movedOut = await moveOut(parts, away, onProblem);
  const taken = await takeBack(parts, away, onProblem);
  if (taken === "gone") return reportGone(parts, away);
  if (taken === "rebound") await waitForLink(parts, (links) => findOnHost(away.attachment, links));
  const ifindex =
    (taken === "kept" ? movedOut : undefined) ??
    (await findAtHome(parts, away, onProblem)) ??
    (await recreate(parts, away));
  faultPoint("detach.moved");
  if (ifindex === undefined) return undefined;
  return [...cleared, ...(await restore(parts, away, ifindex)), ...(await settleVf(parts, away))];
}

/** A device without a link, of which a function may have to come back all the same. */
async function bringFunctionHome(parts: AttachParts, away: AwayDevice): Promise<readonly string[] | undefined> {
  const problems: string[] = [];
  if ((await takeBack(parts, away, (problem) => void problems.push(problem))) === "gone")
    return reportGone(parts, away);
  return [...problems, ...(await settleVf(parts, away))];
}

function reportGone(parts: AttachParts, record: AwayDevice): undefined {
  const reason = `its PCI function ${record.plan.pciFunction?.address} is not on this machine any more`;
  parts.log.error("device is lost", { ...logFields(record), reason });
  parts.observer.lost?.(record, reason);
  return undefined;
}

/** The device never left: only its child goes, if the namespace did not take it along. */
async function dropChild(parts: AttachParts, away: AwayLink): Promise<readonly string[]> {
  const netns = await namespaceOf(parts, away.attachment);
  if (netns !== undefined) await removeChild(parts.kernel, away, netns);
  faultPoint("detach.moved");
  return [];
}

/** The pod's namespace → the host; `undefined` when the namespace, or the link in it, is gone. */
async function moveOut(
  parts: AttachParts,
  record: AwayLink,
  onProblem: (problem: string) => void,
): Promise<number | undefined> {
  const { attachment } = record;
  const netns = await namespaceOf(parts, attachment);
  if (netns === undefined) return undefined;
  const links = await parts.kernel.listLinks({ netns });
  const link = findInPod(record, attachment, links);
  if (link === undefined) return undefined;
  await clear(parts, record, { netns, ifindex: link.ifindex, spare: othersInPod(parts, record, links) }, onProblem);
  faultPoint("detach.cleared");
  await releaseRdma(parts, record, [netns, "host"]);
  const { temporaryName } = attachment;
  const moved = await parts.kernel.moveLink({ from: netns, ifindex: link.ifindex, to: "host", temporaryName });
  return moved.ifindex;
}

/** Links of other devices of the same pod, which may stand on this one: they go home by themselves. */
function othersInPod(parts: AttachParts, record: AwayLink, links: readonly Link[]): readonly number[] {
  return parts.store.ofSandbox(record.attachment.sandboxId).flatMap((other) => {
    if (other.attachment?.snapshot === undefined || keyText(other) === keyText(record)) return [];
    const { snapshot } = other.attachment;
    return findInPod(other, { ...other.attachment, snapshot }, links)?.ifindex ?? [];
  });
}

/** Takes off the link what the pod put on it: on the host it would stand in the way, or do harm. */
async function clear(
  parts: AttachParts,
  record: AwayLink,
  where: { readonly netns: NetnsRef; readonly ifindex: number; readonly spare: readonly number[] | "all" },
  onProblem: (problem: string) => void,
): Promise<void> {
  const { snapshot } = record.attachment;
  const { removed, problems } = await parts.kernel.clearLink({ ...where, programs: programsOf(snapshot) });
  const fields = { ...logFields(record), ifname: snapshot.link.ifname };
  const own = vrfNames(record.plan).map((name) => `master ${name}`);
  const byPod = removed.filter((what) => !own.includes(what));
  if (byPod.length > 0) parts.log.info("what the pod put on the link was taken off", { ...fields, removed: byPod });
  for (const problem of problems) {
    parts.log.warn("what the pod put on the link is still there", { ...fields, problem });
    onProblem(problem);
  }
}

/** Ids of the programs that the link had before. */
function programsOf({ link, programs }: LinkSnapshot): readonly number[] {
  return [...Object.values(link.xdpPrograms ?? {}), ...(programs?.tcx ?? []).map(({ programId }) => programId)];
}

/** Held since the attach, or, after a restart, opened again where it is still the same namespace. */
async function namespaceOf(parts: AttachParts, attachment: Attachment): Promise<NetnsRef | undefined> {
  const held = parts.held.get(attachment.sandboxId);
  if (held !== undefined) return { fd: held.fd };
  if (attachment.netnsPath === undefined || attachment.netnsInode === undefined) return undefined;
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

async function findAtHome(
  parts: AttachParts,
  record: AwayLink,
  onProblem: (problem: string) => void,
): Promise<number | undefined> {
  const { attachment } = record;
  const link = findOnHost(attachment, await parts.kernel.listLinks({ netns: "host" }));
  if (link === undefined) return undefined;
  // The kernel brings hardware home from a namespace that died, with the programs that the pod attached.
  const wasThere = attachment.ifindex !== undefined || record.plan.movedBy !== undefined;
  const cameByItself = wasThere && link.ifname !== attachment.temporaryName;
  if (cameByItself) await clear(parts, record, { netns: "host", ifindex: link.ifindex, spare: "all" }, onProblem);
  return link.ifindex;
}

async function recreate(parts: AttachParts, record: AwayLink): Promise<number | undefined> {
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

async function restore(parts: AttachParts, record: AwayLink, ifindex: number): Promise<readonly string[]> {
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
  const problems = [...failed.map(problemText), ...lostSentences(before, now)];
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
