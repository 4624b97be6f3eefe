/**
 * A device's RDMA device on its way into the pod and home again. Hardware follows its link, and comes home before it. One
 * in software (rxe, siw) is destroyed when its link changes namespaces: it is deleted before and made again after.
 */

import type { AwayDevice, RdmaPlan } from "../claims/record.ts";
import type { HeldNetns, Kernel, NetnsRef } from "../kernel/calls.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { hasErrno } from "./gone.ts";
import { withNodes } from "./plan-rdma.ts";
import { findRdma } from "./recognise-rdma.ts";

type RdmaKernel = Pick<Kernel, "readRdma" | "rdmaNodes" | "moveRdma" | "renameRdma" | "addRdmaLink" | "deleteRdmaLink">;
interface RdmaParts {
  readonly kernel: RdmaKernel;
}

/** Before the link moves out of one of these namespaces. */
export async function releaseRdma(
  { kernel }: RdmaParts,
  { plan: { rdma } }: AwayDevice,
  namespaces: readonly NetnsRef[],
): Promise<void> {
  if (rdma?.kind === undefined) return;
  for (const netns of namespaces) await kernel.deleteRdmaLink({ netns, name: rdma.name });
}

/** After the link; a device that is there already stays. `netns` is absent for a pod with the host's network. */
export async function attachRdma(
  { kernel }: RdmaParts,
  record: AwayDevice,
  netns: HeldNetns | undefined,
): Promise<AwayDevice> {
  const { rdma } = record.plan;
  if (rdma === undefined) return record;
  const inPod: NetnsRef = netns === undefined ? "host" : { fd: netns.fd };
  const shown: NetnsRef = rdma.moves ? inPod : "host";
  if ((await find(kernel, rdma, shown)) === undefined) await bringThere(kernel, record, rdma, inPod);
  faultPoint("attach.rdmaMoved");
  const found = await find(kernel, rdma, shown);
  if (found === undefined) throw new ClaimError(goneSentence(rdma));
  const { nodes, missing } = await kernel.rdmaNodes({ netns: shown, name: found.name, types: rdma.nodeTypes });
  if (missing.includes("uverbs"))
    throw new ClaimError(`RDMA device ${found.name} has lost its character device uverbs`);
  return { ...record, plan: withNodes(record.plan, rdma, nodes) };
}

async function bringThere(kernel: RdmaKernel, { plan }: AwayDevice, rdma: RdmaPlan, inPod: NetnsRef): Promise<void> {
  let atHome = await find(kernel, rdma, "host");
  if (atHome === undefined && rdma.kind !== undefined && plan.ifname !== undefined) {
    await kernel.addRdmaLink({ netns: inPod, name: rdma.name, kind: rdma.kind, ifname: plan.ifname });
    faultPoint("attach.rdmaMade");
    atHome = await find(kernel, rdma, "host");
  }
  if (atHome === undefined) throw new ClaimError(goneSentence(rdma));
  if (rdma.moves) await kernel.moveRdma({ from: "host", name: atHome.name, to: inPod });
}

/**
 * Before the link: hardware that is in the pod moves to the host. `namespace` opens the pod's, `undefined` when it is gone,
 * and then the kernel brings the device home, in its own time. Answers what is wrong.
 */
export async function bringRdmaHome(
  { kernel }: RdmaParts,
  { plan: { rdma } }: AwayDevice,
  namespace: () => Promise<NetnsRef | undefined>,
): Promise<readonly string[]> {
  if (rdma === undefined || !rdma.moves || rdma.kind !== undefined) return [];
  const netns = await namespace();
  const there = netns === undefined ? undefined : await find(kernel, rdma, netns);
  if (there !== undefined && netns !== undefined) {
    await kernel.moveRdma({ from: netns, name: there.name, to: "host" });
    faultPoint("detach.rdmaMoved");
    return [];
  }
  if ((await find(kernel, rdma, "host")) !== undefined) return [];
  if (netns !== undefined)
    return [
      `RDMA device ${rdma.name} is neither in the pod's namespace nor on the host: its driver was unloaded, or something moved it on`,
    ];
  throw new ClaimError(
    `RDMA device ${rdma.name} is not on the host yet: a dying namespace gives it back within seconds, and another process that holds the namespace open keeps it`,
  );
}

/** After the link: the device has its name again, and one in software stands on its link. Answers what did not come back. */
export async function settleRdma(
  { kernel }: RdmaParts,
  { plan: { rdma }, attachment }: AwayDevice,
): Promise<readonly string[]> {
  if (rdma === undefined || !(rdma.moves || rdma.kind !== undefined)) return [];
  const found = await find(kernel, rdma, "host");
  const ifname = attachment.snapshot?.link.ifname;
  try {
    if (rdma.kind === undefined || ifname === undefined) {
      if (found !== undefined && found.name !== rdma.name)
        await kernel.renameRdma({ name: found.name, newName: rdma.name });
    } else if (found?.ports.every((port) => port.ifname !== ifname) !== false) {
      if (found !== undefined) await kernel.deleteRdmaLink({ netns: "host", name: found.name });
      await kernel.addRdmaLink({ netns: "host", name: rdma.name, kind: rdma.kind, ifname });
    }
    return [];
  } catch (error) {
    // One that the kernel has begun to destroy keeps its name for a moment.
    if (hasErrno(error, "EEXIST"))
      throw new ClaimError(`RDMA device ${rdma.name} cannot be made on ${ifname} again yet`, { cause: error });
    return [`RDMA device ${rdma.name}: ${describeError(error)}`];
  }
}

async function find(kernel: RdmaKernel, rdma: RdmaPlan, netns: NetnsRef) {
  return findRdma(rdma, (await kernel.readRdma({ netns })).devices);
}

function goneSentence({ name }: RdmaPlan): string {
  return `RDMA device ${name} is not there any more: its driver was unloaded, or does not keep it when its link moves`;
}
