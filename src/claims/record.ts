/** What netferry knows of one device of one claim, from Prepare to Unprepare. */

import type { DhcpLease } from "../dhcp/lease.ts";
import type { Device } from "../inventory/device.ts";
import type { LinkSnapshot } from "../kernel/calls.ts";
import type { DeviceNode } from "../kernel/device-node.ts";
import type { LinkStep } from "../kernel/steps.ts";
import type { VfSettings, VfState } from "../netlink/vf.ts";
import type { CharDeviceType } from "../rdma/nldev.ts";
import type { SoftwareKind } from "../rdma/nldev-changes.ts";

export interface DeviceKey {
  readonly claimUid: string;
  /** As the allocation result has it: `main` or `main/sub`. */
  readonly request: string;
  readonly device: string;
  /** Empty where the device is not shared. */
  readonly shareId: string;
}

/** What to do in the pod's namespace once the link is there: made in Prepare, without looking at any namespace. */
export interface AttachPlan {
  /** The link's name in the pod; absent for a device that has no link to move. */
  readonly ifname?: string;
  readonly steps: readonly LinkStep[];
  /** Between the link's configuration and its routes an address by router advertisement is waited for. */
  readonly awaitsSlaac?: true;
  /** What goes into the pod instead of the device itself. */
  readonly child?: ChildPlan;
  /** The OCI runtime moves the link, with the pod's first container. */
  readonly movedBy?: "oci";
  /** One sentence for each part of the link's own state that cannot follow it into the pod. */
  readonly leftOut?: readonly string[];
  /** Absent for none. */
  readonly deviceNodes?: readonly DeviceNode[];
  /** Absent for a device without RDMA. */
  readonly rdma?: RdmaPlan;
  /** What is done to the device's PCI function before its link moves, or in place of that. Absent for nothing. */
  readonly pciFunction?: FunctionPlan;
}

/** The RDMA device that belongs to the device, as it is on the host. */
export interface RdmaPlan {
  readonly name: string;
  readonly nodeGuid?: string;
  /** It moves into the pod's namespace, in exclusive mode; in shared mode character devices are all that it takes. */
  readonly moves: boolean;
  /** It stands on the link and is destroyed when that moves: it is made again over it, in the pod and at home. */
  readonly kind?: SoftwareKind;
  /** The character devices that containers get, as far as there are any. */
  readonly nodeTypes: readonly CharDeviceType[];
}

export interface FunctionPlan {
  readonly address: string;
  readonly vf?: { readonly pf: string; readonly index: number };
  /** What the PF has set for the VF for as long as the pod has it. */
  readonly vfSettings?: VfSettings;
  /** The driver that the pod gets the function with, which makes no link. Absent: its own. */
  readonly driver?: "vfio-pci";
  /** Of a function that goes with another driver. */
  readonly iommuGroup?: number;
  /** It is taken from its driver and reset before it goes and when it is back. */
  readonly resets: boolean;
}

/** A link that is made in the pod's namespace and stands on the device, which itself stays on the host. */
export interface ChildPlan {
  /** IFLA_INFO_KIND. */
  readonly kind: "ipvlan" | "macvlan" | "vlan";
  /** IFLA_INFO_DATA in hex. */
  readonly kindData: string;
}

/** A lease of DHCP: its address and routes are among the plan's steps unless it is `lost`. On disk durably, always. */
export interface HeldLease extends DhcpLease {
  /** Of its routes, so that two leases of one pod may both have a default route. */
  readonly metric: number;
  /** Of its routes; absent: main. */
  readonly table?: number;
  /** Its server took it back, or nobody extended it in time. */
  readonly lost?: { readonly reason: "refused" | "expired"; readonly sinceMs: number };
}

/** Addresses by router advertisement, of a link that asked for them. */
export interface SlaacState {
  /** `fd01::5/64`; none while there is a reason. */
  readonly addresses: readonly string[];
  /** CamelCase, for a condition. */
  readonly reason?: "NoAddress" | "AddressTentative";
  /** The reason as a sentence. */
  readonly problem?: string;
}

/** Where the device is, or was about to be: written before the first change to the kernel. */
export interface Attachment {
  readonly sandboxId: string;
  /** Absent for a pod with the host's network. */
  readonly netnsPath?: string;
  /** Absent where nothing was moved into the namespace. */
  readonly netnsInode?: number;
  /** Unique name under which the link travels both ways. */
  readonly temporaryName: string;
  /** Index in the pod's namespace; absent until the move is known to have happened. */
  readonly ifindex?: number;
  /** Of the device; where a child goes in its place, of its link alone. Absent for a device without a link. */
  readonly snapshot?: LinkSnapshot;
  /** With `alignsCpus`, by container: why its CPUs or memory are elsewhere; empty where they are at the device. */
  readonly unaligned?: Readonly<Record<string, string>>;
  /** Once it is attached: what came by router advertisement. */
  readonly slaac?: SlaacState;
  /** Of the function, where the plan does something to it. */
  readonly pciFunction?: FunctionSnapshot;
  /** Character devices that there are only since the attach. */
  readonly deviceNodes?: readonly DeviceNode[];
  /** The pod ran without the device for a while. */
  readonly late: boolean;
}

/** What a PCI function was before it left, the only source for its return. */
export interface FunctionSnapshot {
  readonly driver?: string;
  readonly driverOverride?: string;
  /** What its PF had set; absent for all but VFs whose PF was on the host. */
  readonly vf?: VfState;
  /** The VF had chosen its MAC address itself: the PF shows it and has not set it. */
  readonly choosesMac?: true;
}

/** That of a device with a link. */
export interface LinkAttachment extends Attachment {
  readonly snapshot: LinkSnapshot;
}

/**
 * prepared: at home. attaching, detaching: somewhere on the way, the kernel knows where. attached: in the pod, verified.
 */
export type DeviceState = "prepared" | "attaching" | "attached" | "detaching";

export interface ClaimDevice extends DeviceKey {
  readonly claimNamespace: string;
  readonly claimName: string;
  readonly pool: string;
  readonly podUid: string;
  readonly podNamespace: string;
  readonly podName: string;
  /** Names of the containers that list the claim: they carry its receipt. `undefined` when the pod could not be read. */
  readonly namedBy?: readonly string[];
  /** For a claim that was made from a template: the name that the pod gives it. */
  readonly podClaimName?: string;
  /** Standalone: the claim's name, under which containers may name it as a CDI device. */
  readonly alias?: string;
  /** Containers that use the device run at its NUMA node. */
  readonly alignsCpus?: true;
  /** The device as it was published when it was prepared; published so until Unprepare. */
  readonly published: Device;
  readonly plan: AttachPlan;
  readonly lease?: HeldLease;
  readonly state: DeviceState;
  readonly attachment?: Attachment;
}

/** A device that is, or may be, away from home. */
export type AwayDevice = ClaimDevice & { readonly attachment: Attachment };
export type AwayLink = ClaimDevice & { readonly attachment: LinkAttachment };

export function hasLink(record: AwayDevice): record is AwayLink {
  return record.attachment.snapshot !== undefined;
}

export function isRdmaOnly({ plan, published }: ClaimDevice): boolean {
  return (
    plan.ifname === undefined && plan.pciFunction?.driver === undefined && published.identity.rdmaName !== undefined
  );
}

/** All that containers get of the device. */
export function deviceNodesOf({ plan, attachment }: ClaimDevice): readonly DeviceNode[] {
  return [...(plan.deviceNodes ?? []), ...(attachment?.deviceNodes ?? [])];
}

/** `main` of `main/sub`: what the kubelet and containers call the request. */
export function baseRequest(request: string): string {
  return request.split("/", 1)[0] ?? request;
}

export function keyText(key: DeviceKey): string {
  return JSON.stringify([key.claimUid, key.request, key.device, key.shareId]);
}

/** A record that is at home again. */
export function atHome(record: ClaimDevice): ClaimDevice {
  const { attachment: _, ...rest } = record;
  return { ...rest, state: "prepared" };
}

/** After a reboot: no namespace is left, and time since boot began anew. */
export function ofOtherBoot(record: ClaimDevice): ClaimDevice {
  const { lease, ...rest } = atHome(record);
  if (lease === undefined) return rest;
  const { takenUpMs: _, ...kept } = lease;
  return { ...rest, lease: kept };
}
