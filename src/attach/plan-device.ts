/** The record of one device of a claim: what its pod is to get of it, by what there is on this host. */

import { baseRequest, type ClaimDevice } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import { wantsDhcp } from "../config/interface-rules.ts";
import type { Device } from "../inventory/device.ts";
import type { Kernel } from "../kernel/calls.ts";
import { ClaimError } from "../lib/errors.ts";
import { type AllocatedClaim, type AllocatedDevice, type ConsumerPod, keyOf } from "./allocated.ts";
import { refuseLinkFields } from "./bare-config.ts";
import { withChildDefaults } from "./child-plan.ts";
import { functionExtras, goesWithoutLink, planFunction, withExtras } from "./function-plan.ts";
import { freeMetric } from "./leased.ts";
import type { Leases } from "./leases.ts";
import { checkVfMtu } from "./link-settings.ts";
import { planByRuntime } from "./oci-plan.ts";
import { needsHostRules, planAttach } from "./plan.ts";
import { planBare } from "./plan-bare.ts";
import { withRdma } from "./plan-rdma.ts";
import { findPublished } from "./recognise.ts";
import { checkParent } from "./sharing.ts";
import { vrfOf } from "./vrf.ts";

export interface PlanParts {
  readonly store: Pick<ClaimStore, "get">;
  /** The scanning Worker: what is read here must not stand before a hook. */
  readonly kernel: Kernel;
  readonly sysfsRoot: string;
  /** With `--attach=oci`: why the runtime would not move links, or `undefined`. Absent with netlink. */
  readonly runtimeMover?: { readonly problem: () => string | undefined } | undefined;
  readonly leases: Pick<Leases, "take" | "release">;
  /** By name; looks again at the host when it is not known. */
  readonly findDevice: (name: string, signal: AbortSignal) => Promise<Device | undefined>;
}

/** A device of the claim as it is to be in the pod; one that is away already as it stands. Rejects with a ClaimError. */
export async function planDevice(
  parts: PlanParts,
  claim: AllocatedClaim,
  allocated: AllocatedDevice,
  pod: ConsumerPod,
  others: readonly ClaimDevice[],
  signal: AbortSignal,
): Promise<ClaimDevice> {
  const key = keyOf(claim, allocated);
  const known = parts.store.get(key);
  if (known?.attachment !== undefined) return known;
  const device = await parts.findDevice(allocated.device, signal);
  if (device === undefined) throw notHere(allocated);
  const withDefaults = { ...allocated, config: withChildDefaults(allocated.config, key) };
  const { config } = withDefaults;
  const decision = await refusingFor(claim, allocated, () => planFunction(parts, config, device, signal));
  const goesBare = goesWithoutLink(decision);
  if (goesBare) refuseLinkFields(config, device.name);
  const extras = await refusingFor(claim, allocated, () => functionExtras(parts, decision, config, signal));
  const planned = goesBare
    ? { plan: { steps: [] } }
    : await planKept(parts, claim, withDefaults, device, { known, others }, signal);
  return {
    ...key,
    claimNamespace: claim.namespace,
    claimName: claim.name,
    pool: allocated.pool,
    podUid: pod.uid,
    podNamespace: pod.namespace,
    podName: pod.name,
    ...(pod.namedBy === undefined ? {} : { namedBy: pod.namedBy }),
    ...(claim.alias === undefined ? {} : { alias: claim.alias }),
    ...(claim.podClaimName === undefined ? {} : { podClaimName: claim.podClaimName }),
    ...(allocated.config.cpu?.align === "numa" ? { alignsCpus: true as const } : {}),
    published: device,
    ...planned,
    plan: withExtras(planned.plan, extras),
    state: "prepared",
  };
}

interface Beside {
  /** The record of an earlier Prepare. */
  readonly known: ClaimDevice | undefined;
  /** The pod's other devices. */
  readonly others: readonly ClaimDevice[];
}

/** Of a device that keeps its kernel driver: its link, its RDMA device, or both. */
async function planKept(
  parts: PlanParts,
  claim: AllocatedClaim,
  allocated: AllocatedDevice,
  device: Device,
  beside: Beside,
  signal: AbortSignal,
): Promise<Pick<ClaimDevice, "plan" | "lease">> {
  const bare = planBare(allocated.config, device);
  if (bare === undefined) return planLink(parts, claim, allocated, device, beside, signal);
  return { plan: await withRdma(parts, bare, device, allocated.config, signal) };
}

async function planLink(
  parts: PlanParts,
  claim: AllocatedClaim,
  allocated: AllocatedDevice,
  device: Device,
  { known, others }: Beside,
  signal: AbortSignal,
): Promise<Pick<ClaimDevice, "plan" | "lease">> {
  const { config } = allocated;
  const links = await parts.kernel.listLinks({ netns: "host" }, signal);
  const link = findPublished(device.identity, links);
  if (link === undefined) throw notHere(allocated);
  const host = await parts.kernel.snapshotLink({ netns: "host", ifindex: link.ifindex }, signal);
  if (parts.runtimeMover !== undefined) {
    const problem = parts.runtimeMover.problem();
    if (problem !== undefined) throw new ClaimError(problem);
    const byRuntime = await refusingFor(claim, allocated, async () => planByRuntime(config, host));
    return { plan: await withRdma(parts, byRuntime, device, config, signal) };
  }
  const rules = needsHostRules(config, host) ? await parts.kernel.listRules({ netns: "host" }, signal) : [];
  const linkPlan = await refusingFor(claim, allocated, async () => {
    const plan = planAttach(config, host, rules);
    if (plan.child !== undefined) checkParent(plan.child, host.link, links);
    checkVfMtu(
      config.interface?.mtu,
      host.link,
      links.find(({ ifname }) => ifname === device.pf),
    );
    return plan;
  });
  const plan = await withRdma(parts, linkPlan, device, config, signal);
  const { interface: wanted = {} } = config;
  if (!wantsDhcp(wanted)) return { plan };
  // Last, and only for what can be given otherwise: the server counts on whoever takes a lease.
  const granted = await parts.leases.take(host, wanted.hardwareAddr ?? config.vf?.mac, known?.lease, signal);
  const lease = {
    ...granted,
    metric: freeMetric(others.map((other) => other.plan)),
    ...(wanted.vrf === undefined ? {} : { table: vrfOf(wanted.vrf).table }),
  };
  return { plan: { ...plan, steps: planAttach(config, host, rules, lease).steps }, lease };
}

function notHere({ device, request }: AllocatedDevice): ClaimError {
  return new ClaimError(
    `device ${device} of request ${baseRequest(request)} is not on this node any more: see \`netferry devices\` for what is there`,
  );
}

async function refusingFor<T>(claim: AllocatedClaim, { device }: AllocatedDevice, plan: () => Promise<T>): Promise<T> {
  try {
    return await plan();
  } catch (cause) {
    throw new ClaimError(
      `claim ${claim.namespace}/${claim.name} asks for what device ${device} cannot be given on this node`,
      { cause },
    );
  }
}
