/** A PCI function's way home: what its PF had set for it, a reset, its own driver. */

import type { AwayDevice, FunctionSnapshot } from "../claims/record.ts";
import { ENODEV, isErrno } from "../kernel/errnos.ts";
import { ClaimError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import type { VfSettings, VfState } from "../netlink/vf.ts";
import { type AttachParts, logFields } from "./parts.ts";

const NO_MAC = "00:00:00:00:00:00";

export type TakenBack =
  /** Nothing was to be done, or its link is still the one that it was. */
  | "kept"
  /** Its driver makes, or has made, a new link on the host. */
  | "rebound"
  /** It is not on this machine any more. */
  | "gone";

/** Can be done again. Throws a ClaimError when something that the function must get back cannot be given to it now. */
export async function takeBack(
  parts: AttachParts,
  record: AwayDevice,
  onProblem: (problem: string) => void,
): Promise<TakenBack> {
  const { plan, attachment, device } = record;
  const { pciFunction } = plan;
  const before = attachment.pciFunction;
  if (pciFunction === undefined || before === undefined) return "kept";
  const read = await parts.kernel.readFunction({
    sysfsRoot: parts.sysfsRoot,
    address: pciFunction.address,
    drivers: [],
  });
  if (read === undefined) return "gone";
  await restoreVf(parts, record, before);
  faultPoint("detach.vfRestored");
  if (before.driver === undefined || (!pciFunction.resets && pciFunction.driver === undefined)) return "kept";
  try {
    const { resetProblem } = await parts.slowKernel.bindDriver({
      sysfsRoot: parts.sysfsRoot,
      address: pciFunction.address,
      driver: before.driver,
      ...(before.driverOverride === undefined ? {} : { driverOverride: before.driverOverride }),
      resets: pciFunction.resets,
    });
    if (resetProblem !== undefined) onProblem(`it was not reset: ${resetProblem}`);
  } catch (cause) {
    throw new ClaimError(`${device} (${pciFunction.address}) cannot have its driver ${before.driver} back`, { cause });
  }
  faultPoint("detach.bound");
  return "rebound";
}

/** Before the driver comes back: it asks the PF for the address. */
async function restoreVf(parts: AttachParts, { plan, device }: AwayDevice, before: FunctionSnapshot): Promise<void> {
  const { vf, vfSettings } = plan.pciFunction ?? {};
  if (vf === undefined || vfSettings === undefined || before.vf === undefined) return;
  const now = await parts.kernel.readVf(vf);
  if (now === undefined)
    throw new ClaimError(
      `${device} cannot have back what its PF ${vf.pf} had set for it: the PF's link is not in the host's network namespace`,
    );
  // An address that the VF had chosen it can have back only from a PF that gives it none.
  const mac = vfSettings.mac === undefined ? undefined : before.choosesMac ? NO_MAC : before.vf.mac;
  const settings = { ...withoutMac(changedBack(before.vf, now.state)), ...(mac === undefined ? {} : { mac }) };
  const { failed } = await parts.kernel.setVf({ ...vf, settings });
  // Some drivers refuse to take an address back; what comes of that is seen at the end.
  const problems = failed.filter(({ field }) => field !== "vf.mac");
  if (problems.length > 0)
    throw new ClaimError(
      `${device} cannot have back what its PF ${vf.pf} had set for it: ${problems.map(({ field, problem }) => `${field}: ${problem}`).join("; ")}`,
    );
}

/** What still differs once everything else is back: an address that the VF could not take by itself. */
export async function settleVf(parts: AttachParts, record: AwayDevice): Promise<readonly string[]> {
  const { vf } = record.plan.pciFunction ?? {};
  const before = record.attachment.pciFunction?.vf;
  if (vf === undefined || before === undefined) return [];
  const problems: string[] = [];
  try {
    const now = await parts.kernel.readVf(vf);
    const settings = now === undefined ? {} : changedBack(before, now.state);
    if (Object.keys(settings).length === 0) return [];
    const { failed } = await parts.kernel.setVf({ ...vf, settings });
    problems.push(...failed.map(({ field, problem }) => `${field} on the PF ${vf.pf}: ${problem}`));
  } catch (error) {
    if (!isErrno(error, ENODEV)) throw error;
    return []; // the PF left just now, and takes what it had set along
  }
  for (const problem of problems)
    parts.log.warn("a part of what the PF had set did not come back", { ...logFields(record), problem });
  return problems;
}

function withoutMac({ mac: _, ...rest }: VfSettings): VfSettings {
  return rest;
}

/** The settings that make `now` what `before` was. */
export function changedBack(before: VfState, now: VfState): VfSettings {
  const changed = (Object.keys(before) as (keyof VfState)[]).filter((key) => !Bun.deepEquals(before[key], now[key]));
  return Object.fromEntries(changed.map((key) => [key, before[key]]));
}
