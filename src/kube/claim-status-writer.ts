/** Keeps `status.devices` of claims what the store says, by server-side apply. Nobody waits for it. */

import type { Clock } from "../lib/clock.ts";
import { ConflictError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Backoff } from "../lib/retry.ts";
import type { KubeClient } from "./client/kube-client.ts";
import { isNotFound, KubeError } from "./client/kube-error.ts";
import type { DatedCondition } from "./device-condition.ts";
import { type DeviceStatus, dated, isSameStatus } from "./device-status.ts";
import { isPermissionMissing, isRefused } from "./status-refusals.ts";
import { type Verdict, WriteQueue } from "./write-queue.ts";

export interface ClaimId {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface ClaimStatusWriterOptions {
  readonly client: Pick<KubeClient, "get" | "patch">;
  /** Also the field manager: what is left out of an apply, the server removes from what this manager owns. */
  readonly driver: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** All entries of a claim as they should be now; `undefined` for a claim that is not ours any more. */
  readonly describe: (claimUid: string) => readonly DeviceStatus[] | undefined;
  readonly backoff?: Backoff;
}

/** Devices of one claim come within milliseconds of each other. */
const SETTLE_MS = 50;
/** A prepared claim is attached soon, which is written at once: what is between the two is of interest when it lasts. */
const UNDER_WAY_MS = 3_000;
/** A server that comes back is to hear of its claims soon: one request of this node per such interval. */
const BACKOFF: Backoff = { firstMs: 500, limitMs: 15_000, jitter: 0.5 };
/** A missing permission is granted by hand, if at all. */
const FORBIDDEN_RETRY_MS = 60_000;
const REQUEST_LIMIT_MS = 10_000;

export class ClaimStatusWriter {
  readonly #options: ClaimStatusWriterOptions;
  readonly #queue: WriteQueue<ClaimId>;
  /** By claim UID: what the server has of ours. Absent: it is to be read before the first write. */
  readonly #known = new Map<string, readonly DeviceStatus<DatedCondition>[]>();
  #toldForbidden = false;

  constructor(options: ClaimStatusWriterOptions) {
    this.#options = options;
    this.#queue = new WriteQueue({
      write: (claim, signal) => this.#write(claim, signal),
      judge: (error, claim) => this.#judge(error, claim),
      onFailure: (error, claim, verdict, delayMs) => this.#tell(error, claim, verdict, delayMs),
      clock: options.clock,
      backoff: options.backoff ?? BACKOFF,
      settleMs: SETTLE_MS,
      laterMs: FORBIDDEN_RETRY_MS,
    });
  }

  /** Something about the claim's devices may have changed: it is described when its turn comes. */
  changed(claim: ClaimId): void {
    this.#queue.put(claim.uid, claim);
  }

  /** Its devices are on their way into a pod. `devices` saves reading the claim: the server had them a moment ago. */
  prepared(claim: ClaimId, devices: readonly DeviceStatus<DatedCondition>[]): void {
    this.#known.set(claim.uid, devices);
    this.#queue.put(claim.uid, claim, UNDER_WAY_MS);
  }

  /** Claims that wait to be written. */
  get pending(): number {
    return this.#queue.size;
  }

  /** Until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#queue.run(signal);
  }

  async #write(claim: ClaimId, signal: AbortSignal): Promise<void> {
    const { client, driver, clock, log, describe } = this.#options;
    let before = this.#known.get(claim.uid);
    if (before === undefined) {
      if (describe(claim.uid) === undefined) return;
      const { readClaim } = await import("./claims.ts"); // zod, which an idle agent does without
      const found = await readClaim(client, claim, driver, signal);
      if (found?.uid !== claim.uid) return;
      before = found.devices;
    }
    const described = describe(claim.uid);
    const wanted = dated(described ?? [], before, clock.nowMs());
    if (!isSameStatus(wanted, before)) {
      const kept = await this.#apply(claim, wanted, signal);
      if (kept === undefined) return;
      log.debug("claim status written", { claimUid: claim.uid, claim: nameOf(claim), devices: wanted.length });
      if (!isSameStatus(wanted, kept))
        log.warn("the API server keeps another claim status than it was sent: a feature gate may be off there", {
          claimUid: claim.uid,
          claim: nameOf(claim),
          sent: wanted,
          kept,
        });
      this.#toldForbidden = false;
    }
    if (described === undefined) this.#known.delete(claim.uid);
    else this.#known.set(claim.uid, wanted);
  }

  /** What the server has of ours after it; `undefined` when the claim is not allocated any more. */
  async #apply(
    claim: ClaimId,
    devices: readonly DeviceStatus<DatedCondition>[],
    signal: AbortSignal,
  ): Promise<readonly DeviceStatus<DatedCondition>[] | undefined> {
    const { client, driver } = this.#options;
    const { parseClaim, readClaim } = await import("./claims.ts");
    try {
      const stored = await client.patch(`${claimPath(claim)}/status`, "apply", applyBody(claim, devices), {
        signal,
        query: { fieldManager: driver, force: true },
        timeoutMs: REQUEST_LIMIT_MS,
      });
      return parseClaim(stored, driver).devices;
    } catch (error) {
      if (!isRefused(error) || isPermissionMissing(error)) throw error;
      // The claim of a pod that is deleted at once loses its allocation, and with it its status, before we are done.
      const found = await readClaim(client, claim, driver, signal);
      if (found?.uid === claim.uid && found.allocated) throw error;
      this.#known.delete(claim.uid);
      return undefined;
    }
  }

  #judge(error: unknown, claim: ClaimId): Verdict {
    if (isPermissionMissing(error)) return "later";
    // Whatever it was, the server's view may differ from what we know now.
    this.#known.delete(claim.uid);
    if (error instanceof ConflictError) return "retry"; // another UID: the reading before the next try finds out
    return !(error instanceof KubeError) || isRefused(error) || isNotFound(error) ? "drop" : "retry";
  }

  #tell(error: unknown, claim: ClaimId, verdict: Verdict, delayMs: number): void {
    const { log } = this.#options;
    const fields = { claimUid: claim.uid, claim: nameOf(claim), error };
    if (isPermissionMissing(error)) this.#tellForbidden({ ...fields, delayMs });
    else if (isNotFound(error)) log.debug("the claim is gone, and its status with it", fields);
    else if (verdict === "drop") log.error("claim status is refused and will not be written", fields);
    else log.warn("claim status cannot be written, trying again", { ...fields, delayMs });
  }

  #tellForbidden(fields: Readonly<Record<string, unknown>>): void {
    if (this.#toldForbidden) return;
    this.#toldForbidden = true;
    this.#options.log.error(
      "claim status may not be written: the service account needs patch on resourceclaims/status and, from Kubernetes 1.36 on, associated-node:patch on resourceclaims/driver for this driver's name, with the pod's own token",
      fields,
    );
  }
}

function nameOf({ namespace, name }: ClaimId): string {
  return `${namespace}/${name}`;
}

function claimPath({ namespace, name }: ClaimId): string {
  return `/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaims/${name}`;
}

/** The UID keeps it from a claim of the same name that came after. */
function applyBody({ namespace, name, uid }: ClaimId, devices: readonly DeviceStatus[]): unknown {
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { namespace, name, uid },
    status: { devices },
  };
}
