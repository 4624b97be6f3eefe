/** One device's way into its pod: snapshot, commit, move, configure, verify. */

import type { Attachment, ClaimDevice } from "../claims/record.ts";
import type { HeldNetns, NetnsRef } from "../kernel/calls.ts";
import { ClaimError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { IFF_UP, type Link } from "../netlink/link.ts";
import { makeChild, parentSnapshot } from "./child.ts";
import { bringHome } from "./detach.ts";
import type { AttachParts, SandboxRef } from "./parts.ts";
import { findInPod, findOnHost, findPublished } from "./recognise.ts";
import { temporaryName } from "./temporary-name.ts";

/**
 * Brings the device into the sandbox and answers its record, `attached`. Goes on where a dead agent stopped; does
 * nothing to a device that is there already. When it fails the device is at home again, or its record says `detaching`.
 */
export async function attachDevice(
  parts: AttachParts,
  record: ClaimDevice,
  sandbox: SandboxRef & { readonly netnsPath: string },
  late: boolean,
): Promise<ClaimDevice> {
  if (record.attachment !== undefined && record.attachment.sandboxId !== sandbox.id)
    record = await bringHome(parts, record);
  const netns = await parts.held.hold(sandbox.id, sandbox.netnsPath);
  faultPoint("attach.held");
  try {
    if (record.state === "attached" && (await isInPod(parts, record, netns))) return record;
    const committed = await commit(parts, record, sandbox, netns, late);
    faultPoint("attach.committed");
    const moved = await move(parts, committed, netns);
    faultPoint("attach.moved");
    // Asked for together: the Worker does one after the other, and this thread need not wake up in between.
    const inPod = { fd: netns.fd };
    const [, links] = await Promise.all([configure(parts, moved, inPod), parts.kernel.listLinks({ netns: inPod })]);
    faultPoint("attach.configured");
    verify(moved, links);
    const attached: ClaimDevice = { ...moved, state: "attached" };
    parts.store.put([attached]);
    return attached;
  } catch (cause) {
    const left = parts.store.get(record) ?? record;
    if (left.attachment !== undefined) await bringHome(parts, left);
    else if (parts.store.ofSandbox(sandbox.id).length === 0) parts.held.release(sandbox.id);
    throw new ClaimError(
      `cannot attach ${record.device} of claim ${record.claimNamespace}/${record.claimName} to pod ${record.podNamespace}/${record.podName}`,
      { cause },
    );
  }
}

/** A device that was verified once is not configured again: what the pod did to its link since is the pod's affair. */
async function isInPod(parts: AttachParts, record: ClaimDevice, netns: HeldNetns): Promise<boolean> {
  const links = await parts.kernel.listLinks({ netns: { fd: netns.fd } });
  return record.attachment !== undefined && findInPod(record, record.attachment, links) !== undefined;
}

type Underway = ClaimDevice & { readonly attachment: Attachment };

interface Committed {
  readonly record: Underway;
  /** Index on the host, where the link was seen just now; `undefined` when an earlier attempt may have moved it. */
  readonly hostIfindex?: number;
}

/** The last moment at which nothing has changed: what is needed for the way back is on disk after this. */
async function commit(
  parts: AttachParts,
  record: ClaimDevice,
  sandbox: SandboxRef & { readonly netnsPath: string },
  netns: HeldNetns,
  late: boolean,
): Promise<Committed> {
  if (record.attachment !== undefined) {
    const attachment = { ...record.attachment, late: record.attachment.late || late };
    return { record: { ...record, state: "attaching", attachment } };
  }
  const link = findPublished(record.published.identity, await parts.kernel.listLinks({ netns: "host" }));
  if (link === undefined)
    throw new ClaimError(
      `its link ${record.published.identity.ifname ?? record.device} is not in the host's namespace: see \`netferry devices\` for what is there`,
    );
  const snapshot =
    record.plan.child === undefined
      ? await parts.kernel.snapshotLink({ netns: "host", ifindex: link.ifindex })
      : parentSnapshot(link, parts.clock.nowMs());
  faultPoint("attach.snapshot");
  const attachment: Attachment = {
    sandboxId: sandbox.id,
    netnsPath: sandbox.netnsPath,
    netnsInode: netns.inode,
    temporaryName: temporaryName(record),
    snapshot,
    late,
  };
  const underway: Underway = { ...record, state: "attaching", attachment };
  parts.store.putDurably([underway]);
  return { record: underway, hostIfindex: link.ifindex };
}

/** The device, or a child of it, into the pod's namespace, unless the link is there already. */
async function move(
  parts: AttachParts,
  { record, hostIfindex }: Committed,
  netns: HeldNetns,
): Promise<Underway & { readonly ifindex: number }> {
  const { attachment } = record;
  const there = hostIfindex === undefined ? await findMoved(parts, record, netns) : undefined;
  const ifindex = there ?? (await bring(parts, record, netns, hostIfindex ?? (await findLeft(parts, attachment))));
  const moved: Underway = { ...record, attachment: { ...attachment, ifindex } };
  if (attachment.ifindex !== ifindex) parts.store.put([moved]);
  return { ...moved, ifindex };
}

async function findMoved(parts: AttachParts, record: Underway, netns: HeldNetns): Promise<number | undefined> {
  return findInPod(record, record.attachment, await parts.kernel.listLinks({ netns: { fd: netns.fd } }))?.ifindex;
}

async function findLeft(parts: AttachParts, attachment: Attachment): Promise<number> {
  const link = findOnHost(attachment, await parts.kernel.listLinks({ netns: "host" }));
  if (link === undefined)
    throw new ClaimError(
      `its link ${attachment.snapshot.link.ifname} is neither on the host nor in the pod's namespace`,
    );
  return link.ifindex;
}

async function bring(
  parts: AttachParts,
  { plan: { child }, attachment: { temporaryName } }: Underway,
  netns: HeldNetns,
  ifindex: number,
): Promise<number> {
  if (child !== undefined) return makeChild(parts.kernel, child, { parent: ifindex, netns, temporaryName });
  const moved = await parts.kernel.moveLink({ from: "host", ifindex, to: { fd: netns.fd }, temporaryName });
  return moved.ifindex;
}

async function configure(
  parts: AttachParts,
  record: Underway & { readonly ifindex: number },
  netns: NetnsRef,
): Promise<void> {
  await parts.kernel.applySteps({
    netns,
    ifindex: record.ifindex,
    wasIfindex: record.attachment.snapshot.link.ifindex,
    steps: record.plan.steps,
    onFailure: "stop",
  });
}

function verify(record: Underway & { readonly ifindex: number }, links: readonly Link[]): void {
  const link = links.find((candidate) => candidate.ifindex === record.ifindex);
  if (link?.ifname !== record.plan.ifname || (link.flags & IFF_UP) === 0)
    throw new ClaimError(
      `after its configuration the link is ${link === undefined ? "gone" : `named ${link.ifname}, flags ${link.flags}`} in the pod, not ${record.plan.ifname} and up`,
    );
}
