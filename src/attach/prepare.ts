/** A claim's way into the store: everything that is slow or can be refused happens here, long before the hook. */

import { baseRequest, type ClaimDevice, type DeviceKey, keyText } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import { isSubInterface, wantsDhcp } from "../config/interface-rules.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { Device } from "../inventory/device.ts";
import type { Kernel } from "../kernel/calls.ts";
import { ClaimError } from "../lib/errors.ts";
import { faultPoint } from "../lib/fault.ts";
import { refuseLinkFields } from "./bare-config.ts";
import { withChildDefaults } from "./child-plan.ts";
import type { Ferry } from "./ferry.ts";
import { functionExtras, goesWithoutLink, planFunction, withExtras } from "./function-plan.ts";
import { checkFunctions } from "./function-sharing.ts";
import { freeMetric } from "./leased.ts";
import type { Leases } from "./leases.ts";
import { checkVfMtu } from "./link-settings.ts";
import { planByRuntime } from "./oci-plan.ts";
import { checkNames, entersNamespace, hostNetworkSentence, needsHostRules, planAttach } from "./plan.ts";
import { planBare } from "./plan-bare.ts";
import { withRdma } from "./plan-rdma.ts";
import { findPublished } from "./recognise.ts";
import { checkNotAway, checkParent, checkSharing } from "./sharing.ts";
import { checkVrfs, vrfOf } from "./vrf.ts";

/** One device of an allocation, as `status.allocation.devices.results[]` has it. */
export interface AllocatedDevice {
  readonly request: string;
  readonly pool: string;
  readonly device: string;
  readonly adminAccess?: boolean | undefined;
  readonly shareId?: string | undefined;
  /** Class and claim configuration that applies to this request, merged and validated. */
  readonly config: NetworkConfig;
}

export interface AllocatedClaim {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly alias?: string;
  readonly podClaimName?: string | undefined;
  /** Only those of this driver. */
  readonly devices: readonly AllocatedDevice[];
}

export interface ConsumerPod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly hostNetwork: boolean;
  /** Containers that list the claim; `undefined` when the pod could not be read. */
  readonly namedBy?: readonly string[] | undefined;
}

export interface PrepareParts {
  readonly ferry: Ferry;
  readonly store: ClaimStore;
  /** The scanning Worker: what is read here must not stand before a hook. */
  readonly kernel: Kernel;
  readonly sysfsRoot: string;
  /** With `--attach=oci`: why the runtime would not move links, or `undefined`. Absent with netlink. */
  readonly runtimeMover?: { readonly problem: () => string | undefined } | undefined;
  readonly leases: Pick<Leases, "take" | "release">;
  /** By name; looks again at the host when it is not known. */
  readonly findDevice: (name: string, signal: AbortSignal) => Promise<Device | undefined>;
}

/**
 * Plans every device of the claim and stores the plans, durably, in one commit. Idempotent: a device that is in the
 * pod already stays there. Rejects with a ClaimError, and then nothing has changed.
 */
export async function prepareClaim(
  parts: PrepareParts,
  claim: AllocatedClaim,
  pod: ConsumerPod,
  signal: AbortSignal,
): Promise<readonly ClaimDevice[]> {
  const named = `claim ${claim.namespace}/${claim.name}`;
  for (const allocated of claim.devices) {
    if (allocated.adminAccess === true)
      throw new ClaimError(
        `${named} asks for ${allocated.device} with adminAccess: a link is in one place only and cannot be watched from a second pod`,
      );
    await freeFromOthers(parts, claim, allocated);
    const wantsChild = isSubInterface(allocated.config.interface ?? {});
    checkNotAway(allocated.device, wantsChild, othersOf(parts.store, claim));
  }
  await leaveEarlier(parts, claim, pod);
  return parts.ferry.whilePodRests(pod.uid, async () => {
    const records: ClaimDevice[] = [];
    const others = parts.store.ofPod(pod.uid).filter((record) => record.claimUid !== claim.uid);
    try {
      for (const allocated of claim.devices)
        records.push(await planDevice(parts, claim, allocated, pod, [...others, ...records], signal));
      checkSharing(records, othersOf(parts.store, claim));
      checkFunctions(records, othersOf(parts.store, claim));
      checkNames([...others, ...records]);
      const entering = pod.hostNetwork ? records.find(({ plan }) => entersNamespace(plan)) : undefined;
      if (entering !== undefined) throw new ClaimError(hostNetworkSentence(entering));
      checkVrfs([...others, ...records]);
      checkStillHome(parts.store, records);
      parts.store.putDurably(records);
    } catch (error) {
      await parts.leases.release(records.filter((record) => parts.store.get(record)?.lease === undefined));
      throw error;
    }
    faultPoint("prepare.stored");
    return records;
  });
}

function othersOf(store: ClaimStore, claim: AllocatedClaim): readonly ClaimDevice[] {
  return store.records.filter((record) => record.claimUid !== claim.uid);
}

/** The end of a claim: its devices come home, and it leaves the store. Rejects when one could not be brought home now. */
export async function endClaim(
  { ferry, store, leases }: Pick<PrepareParts, "ferry" | "store" | "leases">,
  claimUid: string,
): Promise<void> {
  await ferry.endClaim(claimUid, async () => {
    await leases.release(store.ofClaim(claimUid));
    store.removeClaim(claimUid);
  });
}

/** Brings the device home from a claim that still holds it although the scheduler gave it to this one, or names the holder. */
async function freeFromOthers(
  parts: PrepareParts,
  claim: AllocatedClaim,
  { device, shareId }: AllocatedDevice,
): Promise<void> {
  const holder = parts.store.records.find(
    (record) => record.device === device && record.claimUid !== claim.uid && record.shareId === (shareId ?? ""),
  );
  if (holder === undefined) return;
  const holding = `device ${device} is still held by claim ${holder.claimNamespace}/${holder.claimName} of pod ${holder.podNamespace}/${holder.podName}`;
  if (holder.attachment !== undefined && holder.state === "attached")
    throw new ClaimError(`${holding}, which runs with it: delete that pod first`);
  try {
    await endClaim(parts, holder.claimUid);
  } catch (cause) {
    throw new ClaimError(`${holding} and could not be brought home`, { cause });
  }
}

/** The claim was another pod's before, or had other devices: what is not this pod's comes home, or is forgotten. */
async function leaveEarlier(
  { ferry, store, leases }: PrepareParts,
  claim: AllocatedClaim,
  pod: ConsumerPod,
): Promise<void> {
  const given = new Set(claim.devices.map((allocated) => keyText(keyOf(claim, allocated))));
  const known = store.ofClaim(claim.uid);
  const earlier = known.filter((record) => !given.has(keyText(record)));
  if (earlier.length > 0)
    await ferry.endClaim(claim.uid, async () => {
      await leases.release(earlier);
      store.removeDevices(earlier);
    });
  else if (known.some((record) => record.podUid !== pod.uid && record.attachment !== undefined))
    await ferry.detachClaim(claim.uid);
}

function keyOf(claim: AllocatedClaim, { request, device, shareId = "" }: AllocatedDevice): DeviceKey {
  return { claimUid: claim.uid, request, device, shareId };
}

/** The pod that had the claim before may have taken a device meanwhile: its record is all that knows the way back. */
function checkStillHome(store: ClaimStore, records: readonly ClaimDevice[]): void {
  for (const record of records) {
    const now = store.get(record);
    if (record.attachment !== undefined || now?.attachment === undefined) continue;
    const { device, claimNamespace, claimName, podNamespace, podName } = now;
    throw new ClaimError(
      `device ${device} of claim ${claimNamespace}/${claimName} went into pod ${podNamespace}/${podName} while it was prepared for pod ${record.podNamespace}/${record.podName}: the kubelet tries again`,
    );
  }
}

async function planDevice(
  parts: PrepareParts,
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
  parts: PrepareParts,
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
  parts: PrepareParts,
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
