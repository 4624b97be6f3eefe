/** What of a device's RDMA device a pod gets: character devices, and in exclusive mode the RDMA device itself. */

import type { AttachPlan, RdmaPlan } from "../claims/record.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { Device } from "../inventory/device.ts";
import type { Kernel } from "../kernel/calls.ts";
import type { DeviceNode } from "../kernel/device-node.ts";
import { ClaimError } from "../lib/errors.ts";
import type { NldevFacts } from "../rdma/join.ts";
import type { CharDeviceType } from "../rdma/nldev.ts";
import { findRdma } from "./recognise-rdma.ts";

export interface RdmaParts {
  readonly kernel: Pick<Kernel, "readRdma" | "rdmaNodes" | "canMoveRdma">;
}

const REQUIRED: readonly CharDeviceType[] = ["uverbs"];

/**
 * Adds to `plan` what the RDMA device asks for, and answers it unchanged for a device without RDMA. Rejects with a
 * ClaimError for what this host cannot do.
 */
export async function withRdma(
  { kernel }: RdmaParts,
  plan: AttachPlan,
  device: Device,
  config: NetworkConfig,
  signal: AbortSignal,
): Promise<AttachPlan> {
  const name = device.identity.rdmaName;
  if (name === undefined) {
    refuseRdmaFields(config, device.name);
    return plan;
  }
  const facts = await kernel.readRdma({ netns: "host" }, signal);
  const rdma = findRdma({ name }, facts.devices);
  if (rdma === undefined) throw new ClaimError(absentSentence(device.name, name, facts));
  const isExclusive = facts.netnsMode === "exclusive";
  if (config.rdmaExclusive === true && !isExclusive) throw new ClaimError(sharedSentence(device.name, name));
  // Who stands on the device shares it with others, and its RDMA device with them.
  if (plan.child !== undefined && isExclusive)
    return { ...plan, leftOut: [...(plan.leftOut ?? []), `RDMA device ${name} stays on the host, as its link does`] };
  const optional: readonly CharDeviceType[] = ["rdma_cm"];
  const asked = (["umad", "issm"] as const).filter((type) => config[type] === true);
  const nodeTypes = [...REQUIRED, ...optional, ...asked];
  const { nodes, missing, kind } = await kernel.rdmaNodes({ netns: "host", name, types: nodeTypes }, signal);
  const lacking = missing.filter((type) => !optional.includes(type));
  if (lacking.length > 0) throw new ClaimError(lackingSentence(device.name, name, lacking));
  if (plan.movedBy !== undefined && (isExclusive || kind !== undefined))
    throw new ClaimError(
      `RDMA device ${name} of device ${device.name} cannot follow a link that the OCI runtime moves: run netferry with --attach=netlink`,
    );
  if (isExclusive && !(await kernel.canMoveRdma({ name }, signal)))
    throw new ClaimError(immovableSentence(device.name, name));
  const movesUnder = kind !== undefined && plan.ifname !== undefined && plan.child === undefined;
  return {
    ...plan,
    deviceNodes: [...(plan.deviceNodes ?? []), ...nodes],
    rdma: {
      name,
      ...(rdma.nodeGuid === undefined ? {} : { nodeGuid: rdma.nodeGuid }),
      moves: isExclusive,
      ...(movesUnder ? { kind } : {}),
      nodeTypes,
    },
  };
}

/** The plan with the numbers that its RDMA device's files have now: the kernel may number them anew with a move. */
export function withNodes(plan: AttachPlan, rdma: RdmaPlan, nodes: readonly DeviceNode[]): AttachPlan {
  const others = (plan.deviceNodes ?? []).filter(({ path }) => !isOfType(path, rdma.nodeTypes));
  return { ...plan, deviceNodes: [...others, ...nodes] };
}

function isOfType(path: string, types: readonly CharDeviceType[]): boolean {
  const name = /^\/dev\/infiniband\/([a-z_]+)\d*$/.exec(path)?.[1];
  return types.some((type) => type === name);
}

function refuseRdmaFields(config: NetworkConfig, device: string): void {
  const given = (["rdmaExclusive", "umad", "issm"] as const).filter((field) => config[field] === true);
  if (given.length > 0)
    throw new ClaimError(
      `device ${device} has no RDMA device, which ${given.join(", ")} of its configuration asks for: take that out, or select a device with the attribute rdma`,
    );
}

function absentSentence(device: string, name: string, { netnsMode }: NldevFacts): string {
  return netnsMode === "exclusive"
    ? `RDMA device ${name} of device ${device} is not in the host's namespace: its driver was unloaded, or another namespace holds it; \`rdma dev\` in that namespace shows it, and \`rdma dev set ${name} netns 1\` brings it back`
    : `RDMA device ${name} of device ${device} is not there any more: its driver was unloaded, or is just being replaced`;
}

function sharedSentence(device: string, name: string): string {
  return `device ${device} is claimed with rdmaExclusive, but RDMA devices as ${name} are shared between network namespaces on this node: load ib_core with netns_mode=0, or run \`rdma system set netns exclusive\` before the first pod starts`;
}

function immovableSentence(device: string, name: string): string {
  return `RDMA device ${name} of device ${device} cannot be given to a pod: RDMA devices belong to one network namespace each on this node, and this kernel's driver cannot move it; run \`rdma system set netns shared\` on the node before the first pod starts, or use a driver that can disassociate contexts`;
}

function lackingSentence(device: string, name: string, types: readonly CharDeviceType[]): string {
  const modules = { uverbs: "ib_uverbs", umad: "ib_umad", issm: "ib_umad", rdma_cm: "rdma_ucm" } as const;
  const needed = [...new Set(types.map((type) => modules[type]))];
  return `RDMA device ${name} of device ${device} has no character device ${types.join(", ")}: load ${needed.join(", ")} on the node, if its kernel and the device have it`;
}
