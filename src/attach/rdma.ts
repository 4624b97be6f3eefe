/**
 * A device's RDMA device on its way into the pod and home again. Hardware follows its link, and comes home before it. One
 * in software (rxe, siw) is destroyed when its link changes namespaces: it is deleted before and made again after.
 */

import type { AwayDevice, RdmaPlan } from "../claims/record.ts";
import type { HeldNetns, Kernel, NetnsRef } from "../kernel/calls.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { hasErrno } from "./gone.ts";
import { logFields } from "./parts.ts";
import { withNodes } from "./plan-rdma.ts";
import { findRdma } from "./recognise-rdma.ts";
import { makeAtHome, type SoftwareRdmaParts } from "./software-rdma.ts";

type RdmaKernel = SoftwareRdmaParts["kernel"] & Pick<Kernel, "rdmaNodes" | "moveRdma" | "renameRdma">;
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
  const { rdma, ifname } = record.plan;
  if (rdma === undefined) return record;
  const inPod: NetnsRef = netns === undefined ? "host" : { fd: netns.fd };
  const shown: NetnsRef = rdma.moves ? inPod : "host";
  if ((await find(kernel, rdma, shown, ifname)) === undefined) await bringThere(kernel, record, rdma, inPod);
  faultPoint("attach.rdmaMoved");
  const found = await find(kernel, rdma, shown, ifname);
  if (found === undefined) throw new ClaimError(goneSentence(rdma));
  const { nodes, missing } = await kernel.rdmaNodes({ netns: shown, name: found.name, types: rdma.nodeTypes });
  if (missing.includes("uverbs"))
    throw new ClaimError(`RDMA device ${found.name} has lost its character device uverbs`);
  return { ...record, plan: withNodes(record.plan, rdma, nodes) };
}

async function bringThere(kernel: RdmaKernel, { plan }: AwayDevice, rdma: RdmaPlan, inPod: NetnsRef): Promise<void> {
  let atHome = await find(kernel, rdma, "host", plan.ifname);
  if (atHome === undefined && rdma.kind !== undefined && plan.ifname !== undefined) {
    await kernel.addRdmaLink({ netns: inPod, name: rdma.name, kind: rdma.kind, ifname: plan.ifname });
    faultPoint("attach.rdmaMade");
    atHome = await find(kernel, rdma, "host", plan.ifname);
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
export async function settleRdma(parts: RdmaParts & SoftwareRdmaParts, record: AwayDevice): Promise<readonly string[]> {
  const { rdma } = record.plan;
  const ifname = record.attachment.snapshot?.link.ifname;
  if (rdma === undefined) return [];
  if (rdma.kind === undefined || ifname === undefined) return rdma.moves ? await renameBack(parts, rdma) : [];
  const { name, nodeGuid, kind } = rdma;
  const device = { ifname, name, kind, ...(nodeGuid === undefined ? {} : { nodeGuid }) };
  return makeAtHome(parts, device, logFields(record));
}

async function renameBack({ kernel }: RdmaParts, rdma: RdmaPlan): Promise<readonly string[]> {
  const found = await find(kernel, rdma, "host");
  if (found === undefined || found.name === rdma.name) return [];
  try {
    await kernel.renameRdma({ name: found.name, newName: rdma.name });
    return [];
  } catch (error) {
    if (hasErrno(error, "EEXIST"))
      throw new ClaimError(
        `RDMA device ${found.name} cannot have its name ${rdma.name} back while another one has it: rename that one`,
        { cause: error },
      );
    return [`RDMA device ${rdma.name}: ${describeError(error)}`];
  }
}

/** `ifname` is that of its link there. */
async function find(kernel: RdmaKernel, rdma: RdmaPlan, netns: NetnsRef, ifname?: string) {
  return findRdma(rdma, (await kernel.readRdma({ netns })).devices, ifname);
}

function goneSentence({ name }: RdmaPlan): string {
  return `RDMA device ${name} is not there any more: its driver was unloaded, or does not keep it when its link moves`;
}
