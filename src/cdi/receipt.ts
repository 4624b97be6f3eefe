/**
 * The receipt of a claim: a CDI spec that a container needs to start, written once its devices are in the sandbox.
 * CDI specification: cncf-tags/container-device-interface SPEC.md.
 */

import type { DeviceNode } from "../kernel/device-node.ts";
import { type ClaimMetadata, metadataFileName, metadataPaths } from "./metadata.ts";

const VENDOR = "netferry.dev";
/** The first version that allows a dot in the class, which the driver's name has. */
const CDI_VERSION = "0.6.0";
/** In the container; `/dev` is a fresh tmpfs in every container, so no image layer is touched. */
const GUARD_ROOT = "/dev/netferry";
const MARKER_PREFIX = "NETFERRY_SANDBOX_";

/** What a container gets of one device. */
export interface ReceiptDevice {
  /** Its name in the pod; absent for a device without a netdev. */
  readonly link?: string;
  readonly deviceNodes?: readonly DeviceNode[];
}

export interface Receipt {
  readonly driver: string;
  readonly claimUid: string;
  readonly sandboxId: string;
  /** The sandbox's namespace file as the runtime names it; absent for a pod with the host's network. */
  readonly netnsPath?: string;
  /** By base request name. */
  readonly requests: Readonly<Record<string, readonly ReceiptDevice[]>>;
  /** What the files tell that containers find mounted; absent for no files. */
  readonly metadata?: ClaimMetadata;
  /** Standalone: the claim's name, offered as `netferry.dev/claim=NAME` too. */
  readonly alias?: string;
}

/** `netferry.dev/dra.net=<uid>-<request>`: the form is frozen, kubelets keep old ids. */
export function cdiDeviceId(driver: string, claimUid: string, request: string): string {
  return `${VENDOR}/${driver}=${claimUid}-${request}`;
}

export function cdiAliasId(claimName: string): string {
  return `${VENDOR}/claim=${claimName}`;
}

/** The environment variable that tells for which sandbox a claim's receipt was written. */
export function markerName(claimUid: string): string {
  return MARKER_PREFIX + claimUid.replace(/[^A-Za-z0-9]/g, "_");
}

/** The sandbox that a container's receipt of this claim names, from its `KEY=value` environment. */
export function markerIn(env: readonly string[], claimUid: string): string | undefined {
  const prefix = `${markerName(claimUid)}=`;
  return env.find((entry) => entry.startsWith(prefix))?.slice(prefix.length);
}

/**
 * File name in the CDI directory → content. One file per kind, since a CDI spec has one. `metadataDir` is where the
 * metadata files are.
 */
export function receiptFiles(receipt: Receipt, metadataDir?: string): Readonly<Record<string, string>> {
  const requests = Object.entries(receipt.requests);
  const files: Record<string, string> = {
    [receiptFileName(receipt.driver, receipt.claimUid)]: spec(
      receipt.driver,
      requests.map(([request, devices]) => ({
        name: `${receipt.claimUid}-${request}`,
        containerEdits: edits(receipt, [[request, devices]], metadataDir),
      })),
    ),
  };
  if (receipt.alias !== undefined)
    files[aliasFileName(receipt.driver, receipt.claimUid)] = spec("claim", [
      { name: receipt.alias, containerEdits: edits(receipt, requests, metadataDir) },
    ]);
  return files;
}

export function receiptFileName(driver: string, claimUid: string): string {
  return `netferry-${driver}-${claimUid}.json`;
}

export function aliasFileName(driver: string, claimUid: string): string {
  return `netferry-${driver}-${claimUid}-alias.json`;
}

/** The claim that a file of ours belongs to; `undefined` for other people's files. */
export function claimOfFile(driver: string, fileName: string): string | undefined {
  const prefix = `netferry-${driver}-`;
  if (!fileName.startsWith(prefix) || !fileName.endsWith(".json")) return undefined;
  return fileName.slice(prefix.length, -".json".length).replace(/-alias$/, "");
}

interface ContainerEdits {
  readonly env: readonly string[];
  readonly deviceNodes?: readonly CdiDeviceNode[];
  readonly mounts?: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly options: readonly string[];
  }[];
}

interface CdiDeviceNode {
  readonly path: string;
  readonly type: "c";
  readonly major: number;
  readonly minor: number;
  readonly permissions: string;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

type Request = readonly [string, readonly ReceiptDevice[]];

const MOUNT_OPTIONS = ["ro", "bind", "nosuid", "nodev", "noexec"];

function edits(receipt: Receipt, requests: readonly Request[], metadataDir: string | undefined): ContainerEdits {
  const deviceNodes = requests.flatMap(([, devices]) => devices.flatMap((device) => device.deviceNodes ?? []));
  const guards = requests.flatMap(([request, devices]) =>
    devices.flatMap(({ link }, index) => {
      const hostPath = guardSource(receipt, link);
      if (hostPath === undefined) return [];
      const containerPath = `${GUARD_ROOT}/${receipt.claimUid}/${request}-${index}`;
      return { hostPath, containerPath, options: MOUNT_OPTIONS };
    }),
  );
  const mounts = [...guards, ...requests.flatMap(([request]) => metadataMounts(receipt, request, metadataDir))];
  return {
    env: [`${markerName(receipt.claimUid)}=${receipt.sandboxId}`],
    ...(deviceNodes.length === 0 ? {} : { deviceNodes: onePerPath(deviceNodes).map(cdiDeviceNode) }),
    // The specification does not know an empty list.
    ...(mounts.length === 0 ? {} : { mounts }),
  };
}

function metadataMounts({ driver, claimUid, metadata }: Receipt, request: string, metadataDir: string | undefined) {
  if (metadata === undefined || metadataDir === undefined) return [];
  const hostPath = `${metadataDir}/${metadataFileName(driver, claimUid, request)}`;
  return metadataPaths(driver, metadata, request).map((containerPath) => ({
    hostPath,
    containerPath,
    options: MOUNT_OPTIONS,
  }));
}

/** Devices share some, as `/dev/infiniband/rdma_cm`. */
function onePerPath(nodes: readonly DeviceNode[]): readonly DeviceNode[] {
  return [...new Map(nodes.map((node) => [node.path, node])).values()];
}

/** With all three of type, major and minor the runtime does not look at the host's file. */
function cdiDeviceNode({ path, major, minor, permissions, mode, uid, gid }: DeviceNode): CdiDeviceNode {
  return {
    path,
    type: "c",
    major,
    minor,
    permissions,
    ...(mode === undefined ? {} : { fileMode: mode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
}

/**
 * A path that exists only where the device is. The OCI runtime resolves it in the container's namespace, so a receipt
 * that outlived its sandbox starts nothing. A name that every pod has proves nothing: there the runtime's namespace
 * file, which goes with the sandbox, stands guard. A pod with the host's network has character devices only, which are
 * what they are in any of its sandboxes: none stands guard.
 */
function guardSource(receipt: Receipt, link: string | undefined): string | undefined {
  return link === undefined || link === "eth0" ? receipt.netnsPath : `/proc/sys/net/ipv4/conf/${link}/forwarding`;
}

function spec(
  cdiClass: string,
  devices: readonly { readonly name: string; readonly containerEdits: ContainerEdits }[],
): string {
  return `${JSON.stringify({ cdiVersion: CDI_VERSION, kind: `${VENDOR}/${cdiClass}`, devices }, undefined, 2)}\n`;
}
