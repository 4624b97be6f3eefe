/** One device's way into its pod: snapshot, commit, move, configure, verify. */

import {
  type Attachment,
  type AwayDevice,
  type AwayLink,
  type ClaimDevice,
  hasLink,
  type LinkAttachment,
  type SlaacState,
} from "../claims/record.ts";
import type { HeldNetns, LinkSnapshot } from "../kernel/calls.ts";
import type { LinkStep } from "../kernel/steps.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { IFF_UP, type Link } from "../netlink/link.ts";
import { makeChild, parentSnapshot } from "./child.ts";
import { bringHome } from "./detach.ts";
import { type HandedOver, handOver, snapshotFunction } from "./hand-over.ts";
import { stepsNow } from "./leased.ts";
import type { AttachParts, SandboxRef } from "./parts.ts";
import { entersNamespace, hostNetworkSentence } from "./plan.ts";
import { attachRdma, releaseRdma } from "./rdma.ts";
import { findInPod, findOnHost, findPublished } from "./recognise.ts";
import { aroundWait } from "./slaac.ts";
import { temporaryName } from "./temporary-name.ts";

/** A device whose link is in the pod and up, and which goes on once the link has its addresses. */
export interface Waiting {
  readonly record: MovedLink;
  readonly netns: HeldNetns;
  /** What may need the addresses. */
  readonly stepsAfter: readonly LinkStep[];
}

type MovedLink = AwayLink & { readonly ifindex: number };

/**
 * Brings the device into the sandbox and answers its record, `attached`, or, where its addresses come by router
 * advertisement, what `finishAttach` needs. Goes on where a dead agent stopped; does nothing to a device that is there
 * already. When it fails the device is at home again, or its record says `detaching`, or still `attached` where nobody
 * could look.
 */
export async function beginAttach(
  parts: AttachParts,
  record: ClaimDevice,
  sandbox: SandboxRef,
  late: boolean,
): Promise<ClaimDevice | Waiting> {
  if (record.attachment !== undefined && record.attachment.sandboxId !== sandbox.id)
    record = await bringHome(parts, record);
  const netns = await hold(parts, record, sandbox);
  faultPoint("attach.held");
  // Whatever comes of this look, a device that was there is not taken out of its pod by it.
  if (record.state === "attached" && (await isInPod(parts, record, netns))) return record;
  return orHome(parts, record, sandbox.id, async () => {
    const committed = await commit(parts, record, sandbox, netns, late);
    faultPoint("attach.committed");
    // What the runtime moves it moves with the first container, which this record and its receipt let through.
    if (netns === undefined || record.plan.movedBy !== undefined)
      return settle(parts, (await handOver(parts, committed.record)).record, netns);
    if (!hasLink(committed.record)) return settle(parts, committed.record, netns);
    const moved = await move(parts, committed.record, committed.hostIfindex, netns);
    faultPoint("attach.moved");
    const steps = stepsNow(moved, parts.clock.nowMs());
    if (moved.plan.awaitsSlaac !== true) return complete(parts, { record: moved, netns, stepsAfter: steps });
    const [before, stepsAfter] = aroundWait(steps);
    await applySteps(parts, moved, netns, before);
    faultPoint("attach.waiting");
    return { record: moved, netns, stepsAfter };
  });
}

/** The rest, with what comes of the wait. Fails as `beginAttach` does. */
export function finishAttach(parts: AttachParts, waiting: Waiting, slaac: Promise<SlaacState>): Promise<ClaimDevice> {
  const { record } = waiting;
  return orHome(parts, record, record.attachment.sandboxId, async () => complete(parts, waiting, await slaac));
}

async function orHome<T>(
  parts: AttachParts,
  record: ClaimDevice,
  sandboxId: string,
  task: () => Promise<T>,
): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    const failure = new ClaimError(
      `cannot attach ${record.device} of claim ${record.claimNamespace}/${record.claimName} to pod ${record.podNamespace}/${record.podName}`,
      { cause },
    );
    const left = parts.store.get(record) ?? record;
    if (left.attachment !== undefined) await backHome(parts, left, failure);
    else if (parts.store.ofSandbox(sandboxId).length === 0) parts.held.release(sandboxId);
    throw failure;
  }
}

/** When that fails too, both reasons are told: the second is often what came of the first. */
async function backHome(parts: AttachParts, record: ClaimDevice, failure: Error): Promise<void> {
  try {
    await bringHome(parts, record);
  } catch (error) {
    throw new ClaimError(`${describeError(failure)}; nor could it be brought home: ${describeError(error)}`);
  }
}

async function settle(parts: AttachParts, record: AwayDevice, netns: HeldNetns | undefined): Promise<ClaimDevice> {
  const attached: ClaimDevice = { ...(await attachRdma(parts, record, netns)), state: "attached" };
  parts.store.put([attached]);
  return attached;
}

/** The sandbox's namespace, where something is to move into it. */
async function hold(parts: AttachParts, record: ClaimDevice, sandbox: SandboxRef): Promise<HeldNetns | undefined> {
  if (!entersNamespace(record.plan)) return undefined;
  if (sandbox.netnsPath === undefined) throw new ClaimError(hostNetworkSentence(sandbox));
  return parts.held.hold(sandbox.id, sandbox.netnsPath);
}

/** A device that was verified once is not configured again: what the pod did to its link since is the pod's affair. */
async function isInPod(parts: AttachParts, record: ClaimDevice, netns: HeldNetns | undefined): Promise<boolean> {
  const { attachment } = record;
  if (attachment === undefined) return false;
  const away = { ...record, attachment };
  if (netns === undefined || record.plan.movedBy !== undefined || !hasLink(away)) return true;
  try {
    return findInPod(away, away.attachment, await parts.kernel.listLinks({ netns: { fd: netns.fd } })) !== undefined;
  } catch (cause) {
    const { device, claimNamespace, claimName, podNamespace, podName } = record;
    throw new ClaimError(
      `whether ${device} of claim ${claimNamespace}/${claimName} is still in pod ${podNamespace}/${podName} is not known`,
      { cause },
    );
  }
}

/** The last moment at which nothing has changed: what is needed for the way back is on disk after this. */
async function commit(
  parts: AttachParts,
  record: ClaimDevice,
  sandbox: SandboxRef,
  netns: HeldNetns | undefined,
  late: boolean,
): Promise<HandedOver> {
  if (record.attachment !== undefined) {
    const attachment = { ...record.attachment, late: record.attachment.late || late };
    return { record: { ...record, state: "attaching", attachment } };
  }
  const snapshot = leavesHost(record) ? await snapshotAtHome(parts, record) : undefined;
  const pciFunction = await snapshotFunction(parts, record, snapshot?.link);
  faultPoint("attach.snapshot");
  const attachment: Attachment = {
    sandboxId: sandbox.id,
    ...(sandbox.netnsPath === undefined ? {} : { netnsPath: sandbox.netnsPath }),
    ...(netns === undefined ? {} : { netnsInode: netns.inode }),
    temporaryName: temporaryName(record),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(pciFunction === undefined ? {} : { pciFunction }),
    late,
  };
  const underway: AwayDevice = { ...record, state: "attaching", attachment };
  parts.store.putDurably([underway]);
  return { record: underway, ...(snapshot === undefined ? {} : { hostIfindex: snapshot.link.ifindex }) };
}

/** Whether the device has a link that goes into the pod, or away with its driver. */
function leavesHost({ plan, published }: ClaimDevice): boolean {
  return (
    plan.ifname !== undefined || (plan.pciFunction?.driver !== undefined && published.identity.ifname !== undefined)
  );
}

async function snapshotAtHome(parts: AttachParts, record: ClaimDevice): Promise<LinkSnapshot> {
  const link = findPublished(record.published.identity, await parts.kernel.listLinks({ netns: "host" }));
  if (link === undefined)
    throw new ClaimError(
      `its link ${record.published.identity.ifname ?? record.device} is not in the host's namespace: see \`netferry devices\` for what is there`,
    );
  return record.plan.child === undefined
    ? parts.kernel.snapshotLink({ netns: "host", ifindex: link.ifindex })
    : parentSnapshot(link, parts.clock.nowMs());
}

/** Configures and verifies a link that is in the pod, and settles its device. */
async function complete(
  parts: AttachParts,
  { record, netns, stepsAfter }: Waiting,
  slaac?: SlaacState,
): Promise<ClaimDevice> {
  // Asked for together: the Worker does one after the other, and this thread need not wake up in between.
  const [, links] = await Promise.all([
    applySteps(parts, record, netns, stepsAfter),
    parts.kernel.listLinks({ netns: { fd: netns.fd } }),
  ]);
  faultPoint("attach.configured");
  verify(record, links);
  const { ifindex: _, ...away } = record;
  const attachment = slaac === undefined ? away.attachment : { ...away.attachment, slaac };
  return settle(parts, { ...away, attachment }, netns);
}

/** The device, or a child of it, into the pod's namespace, unless the link is there already. */
async function move(
  parts: AttachParts,
  record: AwayLink,
  hostIfindex: number | undefined,
  netns: HeldNetns,
): Promise<MovedLink> {
  const { attachment } = record;
  const there = hostIfindex === undefined ? await findMoved(parts, record, netns) : undefined;
  const ifindex = there ?? (await bring(parts, record, netns, await makeReady(parts, record, hostIfindex)));
  const moved: AwayLink = { ...record, attachment: { ...attachment, ifindex } };
  if (attachment.ifindex !== ifindex) parts.store.put([moved]);
  return { ...moved, ifindex };
}

/** Index of the link on the host once its function may go. */
async function makeReady(parts: AttachParts, record: AwayLink, hostIfindex: number | undefined): Promise<number> {
  const made = await handOver(parts, record);
  return made.hostIfindex ?? hostIfindex ?? (await findLeft(parts, record.attachment));
}

async function findMoved(parts: AttachParts, record: AwayLink, netns: HeldNetns): Promise<number | undefined> {
  return findInPod(record, record.attachment, await parts.kernel.listLinks({ netns: { fd: netns.fd } }))?.ifindex;
}

async function findLeft(parts: AttachParts, attachment: LinkAttachment): Promise<number> {
  const link = findOnHost(attachment, await parts.kernel.listLinks({ netns: "host" }));
  if (link === undefined)
    throw new ClaimError(
      `its link ${attachment.snapshot.link.ifname} is neither on the host nor in the pod's namespace`,
    );
  return link.ifindex;
}

async function bring(parts: AttachParts, record: AwayLink, netns: HeldNetns, ifindex: number): Promise<number> {
  const { child } = record.plan;
  const { temporaryName } = record.attachment;
  if (child !== undefined) return makeChild(parts.kernel, child, { parent: ifindex, netns, temporaryName });
  await releaseRdma(parts, record, ["host"]);
  faultPoint("attach.rdmaReleased");
  const moved = await parts.kernel.moveLink({ from: "host", ifindex, to: { fd: netns.fd }, temporaryName });
  return moved.ifindex;
}

function applySteps(
  parts: AttachParts,
  { ifindex, attachment }: MovedLink,
  netns: HeldNetns,
  steps: readonly LinkStep[],
): Promise<unknown> {
  const wasIfindex = attachment.snapshot.link.ifindex;
  return parts.kernel.applySteps({ netns: { fd: netns.fd }, ifindex, wasIfindex, steps, onFailure: "stop" });
}

function verify(record: MovedLink, links: readonly Link[]): void {
  const link = links.find((candidate) => candidate.ifindex === record.ifindex);
  if (link === undefined || link.ifname !== record.plan.ifname || (link.flags & IFF_UP) === 0)
    throw new ClaimError(
      `after its configuration the link is ${link === undefined ? "gone" : `named ${link.ifname}, flags ${link.flags}`} in the pod, not ${record.plan.ifname} and up`,
    );
}
