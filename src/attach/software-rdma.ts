/**
 * RDMA devices in software (rxe, siw) at home again: the kernel destroys one when its link changes namespaces, so it is
 * made anew once the link is back. One that cannot be made then is owed, and reconciliation makes it.
 */

import type { OwedRdma } from "../claims/owed-rdma.ts";
import type { ClaimStore } from "../claims/store.ts";
import type { Kernel } from "../kernel/calls.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { hasErrno } from "./gone.ts";
import { findRdma, standsOn } from "./recognise-rdma.ts";

export interface SoftwareRdmaParts {
  readonly kernel: Pick<Kernel, "readRdma" | "addRdmaLink" | "deleteRdmaLink" | "listLinks">;
  readonly store: Pick<ClaimStore, "owedRdma" | "records">;
  readonly log: Logger;
}

/** When its link has just come home. Answers what is wrong. */
export async function makeAtHome(
  { kernel, store, log }: SoftwareRdmaParts,
  device: OwedRdma,
  fields: Readonly<Record<string, unknown>>,
): Promise<readonly string[]> {
  try {
    await make(kernel, device);
    store.owedRdma.remove(device);
    return [];
  } catch (error) {
    // One that the kernel has begun to destroy keeps its name for a moment.
    if (hasErrno(error, "EEXIST"))
      throw new ClaimError(`RDMA device ${device.name} cannot be made on ${device.ifname} again yet`, { cause: error });
    store.owedRdma.put(device);
    const problem = `RDMA device ${device.name} cannot be made on ${device.ifname} again yet, and is tried until it is: ${describeError(error)}`;
    log.warn("an RDMA device is not on its link again", { ...fields, problem });
    return [problem];
  }
}

/** Answers whether none is left that could be made; those whose link is away wait for it. */
export async function makeOwed({ kernel, store, log }: SoftwareRdmaParts): Promise<boolean> {
  let ok = true;
  for (const device of store.owedRdma.all()) {
    const { ifname, name } = device;
    if (isTaken(store, device)) continue;
    try {
      if ((await kernel.listLinks({ netns: "host" })).some((link) => link.ifname === ifname)) {
        await make(kernel, device);
        if (isTaken(store, device)) continue; // it may have left meanwhile, and the device would be gone with it
        log.info("RDMA device made on its link again", { ifname, rdmaDevice: name });
      } else log.warn("an RDMA device is not made again: its link is gone", { ifname, rdmaDevice: name });
      store.owedRdma.remove(device);
    } catch {
      ok = false; // the log has the reason since it is owed
    }
  }
  return ok;
}

/** By a claim that is to carry the link away and knows nothing of the RDMA device, or has it away. */
function isTaken({ records }: Pick<ClaimStore, "records">, { ifname }: OwedRdma): boolean {
  return records.some(
    ({ published, plan, attachment }) =>
      (published.identity.ifname === ifname && plan.rdma === undefined) || attachment?.snapshot?.link.ifname === ifname,
  );
}

async function make(kernel: SoftwareRdmaParts["kernel"], device: OwedRdma): Promise<void> {
  const { ifname, name, kind } = device;
  const { devices } = await kernel.readRdma({ netns: "host" });
  const found = findRdma(device, devices, ifname);
  if (found !== undefined && standsOn(found, ifname)) return;
  // What is left of it, of a link that is none of the host's any more.
  if (found !== undefined) await kernel.deleteRdmaLink({ netns: "host", name: found.name });
  const other = devices.find((one) => one.name === name && one !== found);
  if (other !== undefined) throw new ClaimError(`another RDMA device has the name ${name}: delete or rename that one`);
  await kernel.addRdmaLink({ netns: "host", name, kind, ifname });
}
