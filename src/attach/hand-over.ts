/** What is done to a PCI function before its pod gets it: settings of its PF, a reset, another driver. */

import type { AwayDevice, ClaimDevice, FunctionPlan, FunctionSnapshot } from "../claims/record.ts";
import type { FailedVfSetting } from "../kernel/calls.ts";
import type { DeviceNode } from "../kernel/device-node.ts";
import { EOPNOTSUPP, EPROTONOSUPPORT } from "../kernel/errnos.ts";
import type { LinkStep } from "../kernel/steps.ts";
import { ClaimError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import type { Link } from "../netlink/link.ts";
import type { VfState } from "../netlink/vf.ts";
import { podNode } from "./function-plan.ts";
import { type AttachParts, logFields } from "./parts.ts";
import { findOnHost } from "./recognise.ts";
import { restoreSteps } from "./restore.ts";
import { waitForLink } from "./wait-for-link.ts";

/** NET_ADDR_RANDOM and NET_ADDR_SET of linux/netdevice.h: not an address that the PF gave. */
const OWN_CHOICES: readonly (number | undefined)[] = [1, 3];

/** Before anything is changed. `undefined` where the plan does nothing to the function. */
export async function snapshotFunction(
  { kernel, sysfsRoot }: AttachParts,
  { plan: { pciFunction }, published, device }: ClaimDevice,
  link: Link | undefined,
): Promise<FunctionSnapshot | undefined> {
  if (pciFunction === undefined) return undefined;
  const read = await kernel.readFunction({ sysfsRoot, address: pciFunction.address, drivers: [] });
  if (read === undefined)
    throw new ClaimError(`its function ${published.identity.pciAddress ?? device} is not on this node any more`);
  const { driver, driverOverride } = read.function;
  const vf = pciFunction.vf === undefined ? undefined : (await kernel.readVf(pciFunction.vf))?.state;
  const choosesMac = link !== undefined && vf?.mac === link.address && (await isOwnChoice(kernel, sysfsRoot, link));
  return {
    ...(driver === undefined ? {} : { driver }),
    ...(driverOverride === undefined ? {} : { driverOverride }),
    ...(vf === undefined ? {} : { vf }),
    ...(choosesMac ? { choosesMac } : {}),
  };
}

async function isOwnChoice(kernel: AttachParts["kernel"], sysfsRoot: string, { ifname }: Link): Promise<boolean> {
  return OWN_CHOICES.includes(await kernel.readAddressKind({ sysfsRoot, ifname }));
}

export interface HandedOver {
  readonly record: AwayDevice;
  /** Of the link that the function has now, where it got a new one. */
  readonly hostIfindex?: number;
}

/** Can be done again: what an earlier attempt did is done once more. Throws a ClaimError that names what was refused. */
export async function handOver(parts: AttachParts, record: AwayDevice): Promise<HandedOver> {
  const { plan, attachment } = record;
  const { pciFunction } = plan;
  if (pciFunction === undefined) return { record };
  await applyVfSettings(parts, record.device, pciFunction, attachment.pciFunction?.vf);
  faultPoint("attach.vfSet");
  const driver = pciFunction.driver ?? attachment.pciFunction?.driver;
  if (driver !== undefined && (pciFunction.resets || pciFunction.driver !== undefined)) {
    const { resetProblem } = await parts.slowKernel.bindDriver({
      sysfsRoot: parts.sysfsRoot,
      address: pciFunction.address,
      driver,
      ...overrideFor(pciFunction, attachment.pciFunction),
      resets: pciFunction.resets,
    });
    if (resetProblem !== undefined)
      parts.log.warn("VF goes to its pod without a reset", { ...logFields(record), problem: resetProblem });
    faultPoint("attach.bound");
    if (pciFunction.driver === undefined) return { record, hostIfindex: await awaitNewLink(parts, record) };
    // A VF that is trusted may have told the PF its old address once more when its driver let go of it.
    await applyVfSettings(parts, record.device, pciFunction, attachment.pciFunction?.vf);
  }
  if (pciFunction.iommuGroup === undefined) return { record };
  const deviceNodes = [await groupNode(parts, record.device, pciFunction.iommuGroup)];
  return { record: { ...record, attachment: { ...attachment, deviceNodes } } };
}

/** A function that another driver has keeps it whoever probes drivers meanwhile. */
function overrideFor({ driver }: FunctionPlan, before: FunctionSnapshot | undefined): { driverOverride?: string } {
  const driverOverride = driver ?? before?.driverOverride;
  return driverOverride === undefined ? {} : { driverOverride };
}

async function applyVfSettings(
  { kernel }: AttachParts,
  device: string,
  { vf, vfSettings: settings }: FunctionPlan,
  before: VfState | undefined,
): Promise<void> {
  if (vf === undefined || settings === undefined) return;
  if (before === undefined)
    throw new ClaimError(
      `its PF ${vf.pf} has no link in the host's network namespace any more, by which it would be configured`,
    );
  const { failed } = await kernel.setVf({ ...vf, settings });
  const [first] = failed;
  if (first !== undefined) throw new ClaimError(failed.map((one) => refusalSentence(device, vf.pf, one)).join("; "));
}

function refusalSentence(device: string, pf: string, { field, problem, errno }: FailedVfSetting): string {
  if (errno === EOPNOTSUPP) return `the driver of the PF ${pf} of ${device} does not support ${field}`;
  if (errno === EPROTONOSUPPORT)
    return `the driver of the PF ${pf} of ${device} does not support the VLAN protocol of ${field}`;
  return `the PF ${pf} of ${device} refuses ${field}: ${problem}`;
}

/** What goes along with a link that moves: not layer 3, which the plan has. */
const CARRIED: ReadonlySet<LinkStep["op"]> = new Set([
  "rename",
  "setAddress",
  "setMtu",
  "setTxQueueLen",
  "setAlias",
  "addAltname",
  "setGroup",
  "setOffloadSizes",
  "setFeatures",
  "setPrivateFlags",
  "setSettings",
]);

/** The driver made a new link, as a driver makes them: it gets what the old one had before it leaves. */
async function awaitNewLink(parts: AttachParts, record: AwayDevice): Promise<number> {
  const { attachment, plan, device } = record;
  const { snapshot } = attachment;
  if (snapshot === undefined) throw new ClaimError(`${device} had no link to go on with`);
  const found = await waitForLink(parts, (links) => findOnHost({ ...attachment, snapshot }, links));
  if (found === undefined)
    throw new ClaimError(`the driver of ${device} made no link for it after its reset: see the kernel's log`);
  const now = await parts.kernel.snapshotLink({ netns: "host", ifindex: found.ifindex });
  // The PF may have given the VF its address already, and it can have no other then.
  const keepsAddress = plan.pciFunction?.vfSettings?.mac !== undefined;
  const steps = restoreSteps(snapshot, now, parts.clock.nowMs()).filter(
    ({ op }) => CARRIED.has(op) && !(keepsAddress && op === "setAddress"),
  );
  const { failed } = await parts.kernel.applySteps({
    netns: "host",
    ifindex: found.ifindex,
    steps,
    onFailure: "continue",
  });
  for (const { step, problem } of failed)
    parts.log.warn("the link lost a part of its state with the reset", {
      ...logFields(record),
      step: step.op,
      problem,
    });
  return found.ifindex;
}

async function groupNode(parts: AttachParts, device: string, group: number): Promise<DeviceNode> {
  const { kernel, sysfsRoot } = parts;
  const numbers = await kernel.readCharDevice({ sysfsRoot, className: "vfio", name: String(group) });
  if (numbers === undefined)
    throw new ClaimError(`${device} is bound to vfio-pci, but the kernel made no device for its IOMMU group ${group}`);
  return podNode(`/dev/vfio/${group}`, numbers);
}
