/**
 * What the main thread may ask of a kernel Worker. Requests and answers are plain data. A namespace is named by a
 * descriptor that `holdNetns` opened: descriptors belong to the process, so any Worker can use it, and the main thread
 * closes it.
 */

import type { InventoryFacts } from "../inventory/facts.ts";
import type { Address } from "../netlink/address.ts";
import type { Features, Settings, Switches } from "../netlink/ethtool.ts";
import type { Link } from "../netlink/link.ts";
import type { LinkCreation } from "../netlink/links.ts";
import type { Neighbor } from "../netlink/neighbor.ts";
import type { Route } from "../netlink/route.ts";
import type { Rule } from "../netlink/rule.ts";
import type { Filter, Qdisc } from "../netlink/tc-codec.ts";
import type { TcxProgram } from "../netlink/tcx.ts";
import type { VfSettings, VfState } from "../netlink/vf.ts";
import type { NldevFacts } from "../rdma/join.ts";
import type { CharDeviceType } from "../rdma/nldev.ts";
import type { SoftwareKind } from "../rdma/nldev-changes.ts";
import type { BindRequest } from "../sysfs/bind.ts";
import type { CharDeviceNumbers } from "../sysfs/char-device.ts";
import type { PciFunction } from "../sysfs/function.ts";
import type { DeviceNode } from "./device-node.ts";
import type { LinkStep, LinkSysctl } from "./steps.ts";

export type NetnsRef = "host" | { readonly fd: number };

/** A namespace held by `/proc/thread-self/ns/net` opened inside it, so that the runtime's mount is not pinned. */
export interface HeldNetns {
  readonly fd: number;
  /** Inode of the namespace: its identity for as long as it is held. */
  readonly inode: number;
}

/** All that a scan reads in the host's namespace. */
export type HostFacts = Required<InventoryFacts>;

/** The programs and queueing disciplines at a link, XDP apart, which stands in the link itself. */
export interface LinkPrograms {
  readonly tcx: readonly TcxProgram[];
  /** At the link's root and entrance, without those that the kernel makes by itself. */
  readonly qdiscs: readonly Qdisc[];
  /** At the link's entrance. */
  readonly filters: readonly Filter[];
}

/** Settings of the driver, as far as it has them. */
export interface EthtoolState {
  readonly features?: Features;
  readonly privateFlags?: Switches;
  readonly rings?: Settings;
  readonly channels?: Settings;
  readonly coalesce?: Settings;
  readonly pause?: Settings;
}

/** What a link is before it leaves, the only source for its return. Times are seconds left at `takenAtMs`. */
export interface LinkSnapshot {
  readonly takenAtMs: number;
  readonly link: Link;
  /** Name of the lower device (`IFLA_LINK`) when it is in the same namespace. */
  readonly lowerName?: string;
  readonly masterName?: string;
  readonly addresses: readonly Address[];
  /** Routes of all tables with a next hop over this link. */
  readonly routes: readonly Route[];
  readonly neighbors: readonly Neighbor[];
  readonly sysctls: readonly LinkSysctl[];
  readonly programs?: LinkPrograms;
  readonly ethtool?: EthtoolState;
}

/** One step that did not hold; the others were still tried when the request asked for it. */
export interface FailedStep {
  readonly step: LinkStep;
  readonly problem: string;
  readonly errno?: number;
}

/** A new link, whose lower device is in the namespace of the request. */
export type NewLink = Omit<LinkCreation, "netnsFd">;

/** A VF as its PF's link shows it. */
export interface VfView {
  readonly pfIfname: string;
  readonly pfMtu: number;
  readonly state: VfState;
}

export interface FailedVfSetting {
  /** As the configuration writes it: `vf.linkState`. */
  readonly field: string;
  readonly problem: string;
  readonly errno?: number;
}

export interface NamespaceState {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
  readonly neighbors: readonly Neighbor[];
}

export interface RdmaNodes {
  readonly nodes: readonly DeviceNode[];
  /** Types that were asked for and that the device, or this kernel, does not have. */
  readonly missing: readonly CharDeviceType[];
  /** Of a device in software, when `uverbs` was asked for. */
  readonly kind?: SoftwareKind;
}

/** Those on RDMA devices, which go by their name. They throw SysError ENODEV for one that the namespace does not show. */
export interface RdmaCalls {
  /** What the namespace shows: in shared mode all devices of the host. Loads the kernel's RDMA core. */
  readRdma(request: { readonly netns: NetnsRef }): NldevFacts;
  /** The kernel loads the modules that make them, where they are built. */
  rdmaNodes(request: {
    readonly netns: NetnsRef;
    readonly name: string;
    readonly types: readonly CharDeviceType[];
  }): RdmaNodes;
  /** Whether kernel and driver would move a device of the host into another namespace. Changes nothing. */
  canMoveRdma(request: { readonly name: string }): boolean;
  moveRdma(request: { readonly from: NetnsRef; readonly name: string; readonly to: NetnsRef }): void;
  renameRdma(request: { readonly name: string; readonly newName: string }): void;
  /** A device in software on the link `ifname` of the namespace. In exclusive mode the device is made on the host. */
  addRdmaLink(request: {
    readonly netns: NetnsRef;
    readonly name: string;
    readonly kind: SoftwareKind;
    readonly ifname: string;
  }): void;
  /** Does nothing where the namespace does not show it. */
  deleteRdmaLink(request: { readonly netns: NetnsRef; readonly name: string }): void;
}

/** The calls of a kernel Worker: name → request and answer. */
export interface KernelCalls extends RdmaCalls {
  scan(request: {
    readonly sysfsRoot: string;
    readonly procRoot: string;
    readonly routeTo: readonly string[];
  }): HostFacts;
  /** Opens the namespace at `path`. Throws SysError (ENOENT: it is gone; EINVAL: not a namespace). */
  holdNetns(request: { readonly path: string }): HeldNetns;
  listLinks(request: { readonly netns: NetnsRef }): readonly Link[];
  listAddresses(request: { readonly netns: NetnsRef; readonly ifindex: number }): readonly Address[];
  readNamespace(request: { readonly netns: NetnsRef }): NamespaceState;
  /** Policy rules of both families. */
  listRules(request: { readonly netns: NetnsRef }): readonly Rule[];
  snapshotLink(request: { readonly netns: NetnsRef; readonly ifindex: number }): LinkSnapshot;
  /**
   * Moves the link under `temporaryName`, which must be free on both sides. Answers its index in `to`. When the kernel
   * reports an error although the link moved (it is not transactional), the link counts as moved.
   */
  moveLink(request: {
    readonly from: NetnsRef;
    readonly ifindex: number;
    readonly to: NetnsRef;
    readonly temporaryName: string;
  }): { readonly ifindex: number };
  /**
   * Runs steps on a link in order. `wasIfindex`: routes and next hops that name this index mean the link.
   * With `onFailure: "stop"` the first failure throws; with `"continue"` failures are listed.
   */
  applySteps(request: {
    readonly netns: NetnsRef;
    readonly ifindex: number;
    readonly wasIfindex?: number;
    readonly steps: readonly LinkStep[];
    readonly onFailure: "stop" | "continue";
  }): { readonly failed: readonly FailedStep[] };
  /**
   * Takes off the link what a pod put on it: links that stand on it, its master, programs other than `programs` (ids of
   * the kernel). `spare`: indexes of links that stay although they stand on it; with `all` only programs go. What
   * cannot be done is told.
   */
  clearLink(request: {
    readonly netns: NetnsRef;
    readonly ifindex: number;
    readonly programs: readonly number[];
    readonly spare: readonly number[] | "all";
  }): { readonly removed: readonly string[]; readonly problems: readonly string[] };
  /** A socket of the namespace for a DHCP client on the link, which the main thread closes. */
  openDhcpSocket(request: { readonly netns: NetnsRef; readonly ifindex: number }): { readonly fd: number };
  /** Makes the link in `into`, where that is not `netns`: at once, so that it is never seen in `netns`. */
  createLink(request: { readonly netns: NetnsRef; readonly link: NewLink; readonly into?: NetnsRef }): {
    readonly ifindex: number;
  };
  deleteLink(request: { readonly netns: NetnsRef; readonly ifindex: number }): void;
  /**
   * `undefined` when there is no such function. `drivers`: those of the names asked for that the kernel has. `writable`:
   * this sysfs is not mounted read-only.
   */
  readFunction(request: {
    readonly sysfsRoot: string;
    readonly address: string;
    readonly drivers: readonly string[];
  }): { readonly function: PciFunction; readonly drivers: readonly string[]; readonly writable: boolean } | undefined;
  /** Slow: seconds with some drivers. For the scanning Worker. */
  bindDriver(request: BindRequest & { readonly sysfsRoot: string }): { readonly resetProblem?: string };
  /** The kernel's word for a link whose address is its own choice: NET_ADDR_* of linux/netdevice.h. */
  readAddressKind(request: { readonly sysfsRoot: string; readonly ifname: string }): number | undefined;
  /** `undefined` when no link of the PF in the host's namespace shows such a VF. */
  readVf(request: { readonly pf: string; readonly index: number }): VfView | undefined;
  /** Tries everything. Throws SysError ENODEV where `readVf` answers `undefined`. */
  setVf(request: { readonly pf: string; readonly index: number; readonly settings: VfSettings }): {
    readonly failed: readonly FailedVfSetting[];
  };
  /** Slow. For the scanning Worker. */
  setNumVfs(request: {
    readonly sysfsRoot: string;
    readonly pf: string;
    readonly from: number;
    readonly to: number;
  }): void;
  readCharDevice(request: {
    readonly sysfsRoot: string;
    readonly className: string;
    readonly name: string;
  }): CharDeviceNumbers | undefined;
}

/** The same calls from the main thread: they wait for the Worker, never for the kernel. */
export type Kernel = {
  readonly [Name in keyof KernelCalls]: (
    request: Parameters<KernelCalls[Name]>[0],
    signal?: AbortSignal,
  ) => Promise<ReturnType<KernelCalls[Name]>>;
};
