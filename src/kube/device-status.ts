/**
 * `status.devices[]` of a ResourceClaim: what each device of ours is in its pod. Source: kubernetes/api
 * `resource/v1/types.go` (AllocatedDeviceStatus); condition types and the reasons of success are DRANET's.
 */

import { type NetworkData, networkDataOf } from "../claims/network-data.ts";
import { baseRequest, type ClaimDevice, isRdmaOnly, keyText } from "../claims/record.ts";
import { addressConditions } from "./address-conditions.ts";
import type { DatedCondition, DeviceCondition } from "./device-condition.ts";
import { clampUtf8 } from "./limits.ts";

export interface DeviceStatus<Condition extends DeviceCondition = DeviceCondition> {
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
  readonly shareID?: string;
  readonly conditions: readonly Condition[];
  readonly networkData?: NetworkData;
}

/** Why a device is not where it should be. */
export interface Trouble {
  readonly reason: "AttachFailed" | "ReturnFailed" | "DeviceLost";
  readonly message: string;
}

const MAX_MESSAGE_BYTES = 1024; // the server would take 32 KiB, which nobody reads

/**
 * The entries of one claim: all of them, since an apply removes what it leaves out. A device that is at home without
 * trouble has none. `troubles` go by the record's `keyText`.
 */
export function deviceStatuses(
  records: readonly ClaimDevice[],
  driver: string,
  troubles: ReadonlyMap<string, Trouble>,
): readonly DeviceStatus[] {
  return records.flatMap((record) => {
    const conditions = conditionsOf(record, troubles.get(keyText(record)));
    if (conditions.length === 0) return [];
    const { pool, device, shareId } = record;
    const network = networkDataOf(record);
    const isThere = conditions.some(({ type, status }) => type === "Ready" && status === "True");
    return {
      driver,
      pool,
      device,
      ...(shareId === "" ? {} : { shareID: shareId }),
      conditions,
      ...(isThere && network !== undefined ? { networkData: network } : {}),
    };
  });
}

function conditionsOf(record: ClaimDevice, trouble: Trouble | undefined): readonly DeviceCondition[] {
  const { plan, device } = record;
  const pod = `pod ${record.podNamespace}/${record.podName}`;
  if (trouble !== undefined) return notReady(plan, trouble.reason, trouble.message);
  if (record.state === "attaching") return notReady(plan, "Attaching", `${device} is on its way to ${pod}`);
  if (record.state === "detaching") return notReady(plan, "Detaching", `${device} is on its way home from ${pod}`);
  if (record.state !== "attached") return [];
  const ready = plan.ifname === undefined ? deviceReady(record, pod) : linkReady(record, plan.ifname, pod);
  return [
    ...ready,
    ...rdmaReady(record, pod),
    ...addressConditions(record),
    timeliness(record, pod),
    ...cpuAlignment(record, pod),
  ];
}

/** Of the containers that were made so far. */
function cpuAlignment({ alignsCpus, attachment, published }: ClaimDevice, pod: string): readonly DeviceCondition[] {
  const containers = Object.entries(attachment?.unaligned ?? {});
  if (alignsCpus !== true || containers.length === 0) return [];
  const elsewhere = containers.filter(([, why]) => why !== "");
  if (elsewhere.length === 0)
    return [
      {
        type: "CPUAligned",
        status: "True",
        reason: "AtNUMANode",
        message: `containers of ${pod} were bound to NUMA node ${published.place?.node}: ${containers.map(([name]) => name).join(", ")}`,
      },
    ];
  const sentences = elsewhere.map(([name, why]) => `container ${name}: ${why}`).join("; ");
  return [
    {
      type: "CPUAligned",
      status: "False",
      reason: published.place === undefined ? "NUMANodeUnknown" : "BoundElsewhere",
      message: clampUtf8(`${pod}, ${sentences}`, MAX_MESSAGE_BYTES),
    },
  ];
}

function linkReady(
  { device, request, plan: { child, movedBy } }: ClaimDevice,
  ifname: string,
  pod: string,
): readonly DeviceCondition[] {
  const link = child === undefined ? device : `${child.kind} on ${device}`;
  if (movedBy === "oci")
    return [
      {
        type: "Ready",
        status: "True",
        reason: "LeftToRuntime",
        message: `the OCI runtime moves ${device} of request ${baseRequest(request)} to ${ifname} in ${pod} with the first container`,
      },
    ];
  return [
    {
      type: "Ready",
      status: "True",
      reason: "NetworkDeviceReady",
      message: `${link} of request ${baseRequest(request)} is ${ifname} in ${pod}`,
    },
    {
      type: "NetworkReady",
      status: "True",
      reason: "NetworkReady",
      message: `${ifname} is up and has its addresses, routes, rules and neighbours`,
    },
  ];
}

function deviceReady(record: ClaimDevice, pod: string): readonly DeviceCondition[] {
  const { device, request } = record;
  return [
    {
      type: "Ready",
      status: "True",
      reason: isRdmaOnly(record) ? "RDMAOnlyDeviceReady" : "DeviceReady",
      message: `${device} of request ${baseRequest(request)} is given to containers of ${pod}`,
    },
  ];
}

/** As in DRANET, only where the RDMA device itself moves. */
function rdmaReady({ plan }: ClaimDevice, pod: string): readonly DeviceCondition[] {
  if (plan.rdma?.moves !== true) return [];
  const message = `RDMA device ${plan.rdma.name} is in the namespace of ${pod}`;
  return [{ type: "RDMALinkReady", status: "True", reason: "RDMALinkReady", message }];
}

function timeliness({ plan, device, attachment }: ClaimDevice, pod: string): DeviceCondition {
  const what = plan.ifname ?? device;
  if (attachment?.late !== true)
    return {
      type: "AttachedLate",
      status: "False",
      reason: "AttachedInTime",
      message: `${what} was there before any container of ${pod}`,
    };
  const came = `${what} came after the sandbox of ${pod} had started`;
  // A running container can be given a link, and no character device.
  return (plan.deviceNodes ?? []).length > 0
    ? {
        type: "AttachedLate",
        status: "True",
        reason: "RestartRequired",
        message: `${came}: a container that started before lacks the character devices until the pod is restarted`,
      }
    : {
        type: "AttachedLate",
        status: "True",
        reason: "SandboxRanBefore",
        message: `${came}: a container that does not name the claim may have run without it`,
      };
}

function notReady({ ifname }: ClaimDevice["plan"], reason: string, message: string): readonly DeviceCondition[] {
  const network: DeviceCondition = {
    type: "NetworkReady",
    status: "False",
    reason,
    message: "the pod does not have the device: see condition Ready",
  };
  return [
    { type: "Ready", status: "False", reason, message: clampUtf8(message, MAX_MESSAGE_BYTES) },
    ...(ifname === undefined ? [] : [network]),
  ];
}

/** Each condition keeps the time of `before` where its status is the same, and has `nowMs` where it is not. */
export function dated(
  wanted: readonly DeviceStatus[],
  before: readonly DeviceStatus<DatedCondition>[],
  nowMs: number,
): readonly DeviceStatus<DatedCondition>[] {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  return wanted.map((device) => {
    const known = before.find((other) => sameDevice(other, device))?.conditions ?? [];
    const conditions = device.conditions.map((condition) => {
      const same = known.find(({ type, status }) => type === condition.type && status === condition.status);
      return { ...condition, lastTransitionTime: same?.lastTransitionTime ?? now };
    });
    return { ...device, conditions };
  });
}

/** Whether there is nothing to write. */
export function isSameStatus(a: readonly DeviceStatus[], b: readonly DeviceStatus[]): boolean {
  return (
    a.length === b.length && a.every((device) => b.some((other) => Bun.deepEquals(ordered(device), ordered(other))))
  );
}

function sameDevice(a: DeviceStatus, b: DeviceStatus): boolean {
  return a.driver === b.driver && a.pool === b.pool && a.device === b.device && a.shareID === b.shareID;
}

/** The API server gives a list that is keyed by type back in an order of its own. */
function ordered(device: DeviceStatus): DeviceStatus {
  return { ...device, conditions: device.conditions.toSorted((a, b) => (a.type < b.type ? -1 : 1)) };
}
