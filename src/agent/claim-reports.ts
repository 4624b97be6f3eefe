/** Tells the cluster what becomes of claims: conditions on the claim, warnings as events on claim and pod. */

import type { AttachObserver } from "../attach/parts.ts";
import { baseRequest, type ClaimDevice, isRdmaOnly, keyText } from "../claims/record.ts";
import type { ClaimStore } from "../claims/store.ts";
import { type ClaimId, ClaimStatusWriter, type ClaimStatusWriterOptions } from "../kube/claim-status-writer.ts";
import type { ClaimFacts } from "../kube/claims.ts";
import type { KubeClient } from "../kube/client/kube-client.ts";
import { type DeviceStatus, deviceStatuses, type Trouble } from "../kube/device-status.ts";
import type { EventObject } from "../kube/event-limits.ts";
import { EventWriter } from "../kube/event-writer.ts";
import type { Clock } from "../lib/clock.ts";
import { describeError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Task } from "../lib/supervise.ts";

export interface ClaimReportsParts {
  readonly client: Pick<KubeClient, "get" | "create" | "patch">;
  readonly store: Pick<ClaimStore, "records" | "ofClaim">;
  readonly driver: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly statusBackoff?: ClaimStatusWriterOptions["backoff"];
}

export class ClaimReports implements AttachObserver {
  readonly #parts: ClaimReportsParts;
  readonly #statuses: ClaimStatusWriter;
  readonly #events: EventWriter;
  /** By the record's `keyText`, until the device is where it should be or the claim is gone. */
  readonly #troubles = new Map<string, Trouble>();

  constructor(parts: ClaimReportsParts) {
    const { statusBackoff, ...common } = parts;
    this.#parts = parts;
    this.#statuses = new ClaimStatusWriter({
      ...common,
      describe: (claimUid) => this.#describe(claimUid),
      ...(statusBackoff === undefined ? {} : { backoff: statusBackoff }),
    });
    this.#events = new EventWriter(common);
  }

  get tasks(): Readonly<Record<string, Task>> {
    return {
      claimStatus: (signal) => {
        // What an agent before this one could not write any more.
        for (const record of this.#parts.store.records) this.#statuses.changed(claimOf(record));
        return this.#statuses.run(signal);
      },
      events: (signal) => this.#events.run(signal),
    };
  }

  prepared(claim: ClaimFacts): void {
    this.#statuses.prepared(claim, claim.devices);
  }

  prepareFailed(claim: ClaimId, error: unknown): void {
    this.#events.warn({ object: claimObject(claim), reason: "ClaimPrepareFailed", message: describeError(error) });
  }

  unprepared(claim: ClaimId): void {
    for (const key of this.#troubles.keys())
      if ((JSON.parse(key) as readonly string[])[0] === claim.uid) this.#troubles.delete(key);
    this.#statuses.changed(claim);
  }

  attached(record: ClaimDevice): void {
    this.#troubles.delete(keyText(record));
    this.#statuses.changed(claimOf(record));
    if (record.attachment?.late !== true) return;
    const { ifname = record.device, deviceNodes = [] } = record.plan;
    const came = `${ifname} (${deviceOf(record)}) came after the pod's sandbox had started: a container that does not name the claim may have run without it`;
    const restart = deviceNodes.length === 0 ? "" : ", and lacks its character devices until the pod is restarted";
    this.#warnPod(record, "DeviceAttachedLate", came + restart);
  }

  addressesChanged(record: ClaimDevice): void {
    this.#statuses.changed(claimOf(record));
    if (record.lease?.lost !== undefined)
      this.#warnPod(
        record,
        "AddressLost",
        `${record.plan.ifname} (${deviceOf(record)}) has lost its DHCP address ${record.lease.address}, which its server ${record.lease.lost.reason === "refused" ? "took back" : "did not extend in time"}`,
      );
  }

  cpusDecided(record: ClaimDevice): void {
    this.#statuses.changed(claimOf(record));
  }

  attachFailed(record: ClaimDevice, error: Error): void {
    this.#trouble(record, { reason: "AttachFailed", message: describeError(error) });
    const reason = isRdmaOnly(record) ? "RDMADeviceAttachFailed" : "NetworkDeviceAttachFailed";
    this.#warnPod(record, reason, describeError(error));
  }

  receiptFailed(record: ClaimDevice, error: Error): void {
    const message = `${deviceOf(record)} is in the pod, but its receipt could not be written, so that no container that names the claim can start: ${describeError(error)}`;
    this.#warnPod(record, "DeviceReceiptFailed", message);
  }

  cameHome(record: ClaimDevice, problems: readonly string[]): void {
    this.#troubles.delete(keyText(record));
    this.#statuses.changed(claimOf(record));
    if (problems.length > 0)
      this.#warnPod(
        record,
        "DeviceNotRestored",
        `${deviceOf(record)} came home to node ${this.#parts.nodeName} without a part of its state: ${problems.join("; ")}`,
      );
  }

  returnFailed(record: ClaimDevice, error: Error): void {
    this.#trouble(record, { reason: "ReturnFailed", message: describeError(error) });
    const message = `${deviceOf(record)} could not be brought home to node ${this.#parts.nodeName} yet: ${describeError(error)}`;
    this.#warnPod(record, "DeviceReturnFailed", message);
  }

  lost(record: ClaimDevice, reason: string): void {
    const link = record.attachment?.snapshot?.link.ifname ?? record.device;
    const message = `link ${link} (${deviceOf(record)}) of node ${this.#parts.nodeName} is lost: ${reason}`;
    this.#trouble(record, { reason: "DeviceLost", message });
    this.#warnPod(record, "DeviceLost", message);
    this.#events.warn({ object: claimObject(claimOf(record)), reason: "DeviceLost", message });
  }

  /** A claim that has left the store is not ours any more. */
  #describe(claimUid: string): readonly DeviceStatus[] | undefined {
    const records = this.#parts.store.ofClaim(claimUid);
    return records.length === 0 ? undefined : deviceStatuses(records, this.#parts.driver, this.#troubles);
  }

  #trouble(record: ClaimDevice, trouble: Trouble): void {
    const { store } = this.#parts;
    // A claim that had to make room for another one went without a word.
    const known = new Set(store.records.map(keyText));
    for (const key of this.#troubles.keys()) if (!known.has(key)) this.#troubles.delete(key);
    this.#troubles.set(keyText(record), trouble);
    this.#statuses.changed(claimOf(record));
  }

  #warnPod({ podNamespace, podName, podUid }: ClaimDevice, reason: string, message: string): void {
    const object = { apiVersion: "v1", kind: "Pod", namespace: podNamespace, name: podName, uid: podUid };
    this.#events.warn({ object, reason, message });
  }
}

function claimOf({ claimUid, claimNamespace, claimName }: ClaimDevice): ClaimId {
  return { uid: claimUid, namespace: claimNamespace, name: claimName };
}

function deviceOf({ device, request, claimNamespace, claimName }: ClaimDevice): string {
  return `device ${device} of request ${baseRequest(request)} of claim ${claimNamespace}/${claimName}`;
}

function claimObject({ namespace, name, uid }: ClaimId): EventObject {
  return { apiVersion: "resource.k8s.io/v1", kind: "ResourceClaim", namespace, name, uid };
}
