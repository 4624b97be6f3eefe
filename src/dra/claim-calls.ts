/**
 * The claims of the kubelet's calls: one call at a time for each claim, one answer for each UID, and work that outlives
 * the call that asked for it.
 *
 * The kubelet's deadline (45 s) ends its wait, not our work: cancelled half-way, a slow Prepare would start from the
 * beginning with each retry and never end, and a slow Unprepare would stop in the middle of a move. So work is told to
 * stop only when the agent stops, or after `workLimitMs`, when something must be wedged. The retry that comes meanwhile
 * waits for the first call to end and then finds it done; retries whose caller has hung up too do nothing.
 */

import { Deadline } from "../lib/deadline.ts";
import { ClaimError, describeError } from "../lib/errors.ts";
import { KeyedMutex } from "../lib/keyed-mutex.ts";
import type { Logger } from "../lib/log.ts";
import type { DraMethod, RequestStatus } from "../lib/metrics.ts";
import type { ClaimRef, ClaimsService, PreparedDevice } from "./claims-service.ts";

/** Four times what the kubelet waits. */
const WORK_LIMIT_MS = 180_000;

export interface ClaimCallsOptions {
  readonly claims: ClaimsService;
  readonly log: Logger;
  /** Each call, `failed` when one of its claims failed. */
  readonly onRequest?: (method: DraMethod, status: RequestStatus, seconds: number) => void;
  readonly workLimitMs?: number;
}

export type Answer<T> = { readonly value: T } | { readonly error: string };

export class ClaimCalls {
  readonly #options: ClaimCallsOptions;
  readonly #perClaim = new KeyedMutex();
  readonly #stopped = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(options: ClaimCallsOptions) {
    this.#options = options;
  }

  /** By UID; `cancelled` tells that the caller no longer waits. Never rejects. */
  prepare(
    claims: readonly ClaimRef[],
    cancelled: AbortSignal,
  ): Promise<ReadonlyMap<string, Answer<readonly PreparedDevice[]>>> {
    const { claims: service } = this.#options;
    return this.#each("PrepareResourceClaims", claims, cancelled, (claim, signal) => service.prepare(claim, signal));
  }

  /** By UID; `cancelled` tells that the caller no longer waits. Never rejects. */
  unprepare(claims: readonly ClaimRef[], cancelled: AbortSignal): Promise<ReadonlyMap<string, Answer<void>>> {
    const { claims: service } = this.#options;
    return this.#each("UnprepareResourceClaims", claims, cancelled, (claim, signal) =>
      service.unprepare(claim, signal),
    );
  }

  /** Claims that are worked on, or wait for that. */
  get busyClaims(): number {
    return this.#perClaim.busyKeys;
  }

  /** Tells all work to stop. New calls are answered with an error. */
  stop(): void {
    this.#stopped.abort(new ClaimError("the agent is stopping; the kubelet will try again"));
  }

  /** Resolves when no work is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  async #each<T>(
    method: DraMethod,
    claims: readonly ClaimRef[],
    cancelled: AbortSignal,
    work: (claim: ClaimRef, signal: AbortSignal) => Promise<T>,
  ): Promise<ReadonlyMap<string, Answer<T>>> {
    const startedMs = performance.now();
    const byUid = new Map(claims.map((claim) => [claim.uid, claim]));
    const answers = await Promise.all(
      [...byUid].map(async ([uid, claim]) => [uid, await this.#one(method, claim, cancelled, work)] as const),
    );
    const failed = answers.some(([, answer]) => "error" in answer);
    this.#options.onRequest?.(method, failed ? "failed" : "success", (performance.now() - startedMs) / 1000);
    return new Map(answers);
  }

  async #one<T>(
    method: DraMethod,
    claim: ClaimRef,
    cancelled: AbortSignal,
    work: (claim: ClaimRef, signal: AbortSignal) => Promise<T>,
  ): Promise<Answer<T>> {
    const { log, workLimitMs = WORK_LIMIT_MS } = this.#options;
    const task = this.#perClaim.run(claim.uid, async () => {
      this.#stopped.signal.throwIfAborted();
      if (cancelled.aborted) throw new ClaimError("the kubelet no longer waits for this call");
      using limit = new Deadline(this.#stopped.signal, workLimitMs);
      return await work(claim, limit.signal);
    });
    this.#underWay.add(task);
    try {
      return { value: await task };
    } catch (error) {
      const named = `${claim.namespace}/${claim.name}`;
      log.warn("a claim's call failed", { method, claimUid: claim.uid, claim: named, error });
      return { error: describeError(error) };
    } finally {
      this.#underWay.delete(task);
    }
  }
}
