/** The part of a plan that is the PCI function's: reads what there is, and composes. */

import type { AttachPlan } from "../claims/record.ts";
import { isSubInterface } from "../config/interface-rules.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { Device } from "../inventory/device.ts";
import type { Kernel } from "../kernel/calls.ts";
import type { DeviceNode } from "../kernel/device-node.ts";
import { ClaimError } from "../lib/errors.ts";
import { decideFunction, type FunctionDecision } from "./function-rules.ts";

export interface FunctionReader {
  readonly kernel: Pick<Kernel, "readFunction" | "readVf" | "readCharDevice">;
  readonly sysfsRoot: string;
}

const NOTHING: FunctionDecision = { leftOut: [] };

/** Throws a ClaimError for what the device cannot be given. */
export async function planFunction(
  { kernel, sysfsRoot }: FunctionReader,
  config: NetworkConfig,
  device: Device,
  signal: AbortSignal,
): Promise<FunctionDecision> {
  const { pciAddress: address, pfAddress, vfio, rdmaName } = device.identity;
  const isAsked = config.vf !== undefined || config.driver !== undefined;
  if (isSubInterface(config.interface ?? {})) return NOTHING;
  if (address === undefined) {
    if (isAsked) throw new ClaimError(`vf and driver are for PCI functions, and ${device.name} is none`);
    return NOTHING;
  }
  if (!isAsked && pfAddress === undefined && vfio === undefined) return NOTHING;
  const read = await kernel.readFunction({ sysfsRoot, address, drivers: ["vfio-pci"] }, signal);
  if (read === undefined) throw new ClaimError(`${device.name} is not on this node any more`);
  const place = read.function.vf;
  const vf = place === undefined ? undefined : await kernel.readVf(place, signal);
  return decideFunction(config, {
    device: device.name,
    function: read.function,
    ...(vf === undefined ? {} : { vf }),
    hasVfioPci: read.drivers.includes("vfio-pci"),
    writable: read.writable,
    carriesRdma: rdmaName !== undefined,
  });
}

/** Whether the pod gets no link of the device because vfio-pci has, or will have, its function. */
export function goesWithoutLink({ plan }: FunctionDecision): boolean {
  return plan?.iommuGroup !== undefined;
}

/** What a configuration adds for each device, by the name of its class and kernel module. */
const EXTRA_NODES = [
  { field: "vhostNet", path: "/dev/vhost-net", name: "vhost-net", module: "vhost_net" },
  { field: "tun", path: "/dev/net/tun", name: "tun", module: "tun" },
] as const;

type Extras = Pick<AttachPlan, "deviceNodes" | "leftOut" | "pciFunction">;

/** The function's part of a plan, with the character devices that are there already. Throws a ClaimError for a missing one. */
export async function functionExtras(
  { kernel, sysfsRoot }: FunctionReader,
  decision: FunctionDecision,
  config: NetworkConfig,
  signal: AbortSignal,
): Promise<Extras> {
  const deviceNodes: DeviceNode[] = [];
  const read = async (path: string, name: string, module: string) => {
    const numbers = await kernel.readCharDevice({ sysfsRoot, className: "misc", name }, signal);
    if (numbers === undefined)
      throw new ClaimError(`${path} is not on this node: load its module with \`modprobe ${module}\``);
    deviceNodes.push(podNode(path, numbers));
  };
  if (goesWithoutLink(decision)) await read("/dev/vfio/vfio", "vfio", "vfio");
  for (const { field, path, name, module } of EXTRA_NODES) if (config[field] === true) await read(path, name, module);
  return {
    deviceNodes,
    leftOut: decision.leftOut,
    ...(decision.plan === undefined ? {} : { pciFunction: decision.plan }),
  };
}

export function withExtras(plan: AttachPlan, { deviceNodes = [], leftOut = [], ...rest }: Extras): AttachPlan {
  const nodes = [...(plan.deviceNodes ?? []), ...deviceNodes];
  const sentences = [...(plan.leftOut ?? []), ...leftOut];
  return {
    ...plan,
    ...rest,
    ...(nodes.length === 0 ? {} : { deviceNodes: nodes }),
    ...(sentences.length === 0 ? {} : { leftOut: sentences }),
  };
}

/** The host lets root alone open most of these; the pod has it for whichever user it runs as. */
export function podNode(path: string, numbers: { readonly major: number; readonly minor: number }): DeviceNode {
  return { path, ...numbers, permissions: "rw", mode: 0o666 };
}
