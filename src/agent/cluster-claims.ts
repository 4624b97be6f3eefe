/** What the kubelet asks for, answered from the API server at Prepare and from the store at Unprepare. */

import type { ConsumerPod } from "../attach/allocated.ts";
import { endClaim, type PrepareParts, prepareClaim } from "../attach/prepare.ts";
import { cdiDeviceId } from "../cdi/receipt.ts";
import { baseRequest, type ClaimDevice } from "../claims/record.ts";
import type { Authority } from "../config/authority.ts";
import type { ClaimRef, ClaimsService, PreparedDevice } from "../dra/claims-service.ts";
import type { ClaimFacts } from "../kube/claims.ts";
import type { KubeClient } from "../kube/client/kube-client.ts";
import { isForbidden } from "../kube/client/kube-error.ts";
import type { PodFacts } from "../kube/pods.ts";
import { ClaimError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { allocatedClaim } from "./allocated-claim.ts";
import { withLayers } from "./config-layers.ts";
import type { ProviderSeat } from "./providers.ts";
import { handlerProblem } from "./runtime-handler.ts";

/** Hears what becomes of claims; a call returns at once. */
export interface ClaimReporter {
  prepared(claim: ClaimFacts): void;
  prepareFailed(claim: ClaimRef, error: unknown): void;
  unprepared(claim: ClaimRef): void;
}

export interface ClusterClaimsParts extends PrepareParts {
  readonly client: Pick<KubeClient, "get">;
  readonly providers: ProviderSeat;
  readonly driver: string;
  readonly authority: Authority;
  readonly reports: ClaimReporter;
  readonly runtimeHandlers: readonly string[];
  readonly runtimeProblem: () => string | undefined;
  /** The runtime does not see our CDI directory. */
  readonly receiptsUnseen: boolean;
  readonly log: Logger;
  /** A claim came or went: what is published of its devices may change. */
  readonly onChange: () => void;
}

export class ClusterClaims implements ClaimsService {
  readonly #parts: ClusterClaimsParts;
  #toldForbidden = false;

  constructor(parts: ClusterClaimsParts) {
    this.#parts = parts;
  }

  /** Once: it concerns every claim. */
  #tellForbidden(error: unknown): void {
    if (this.#toldForbidden) return;
    this.#toldForbidden = true;
    this.#parts.log.warn(
      "pods may not be read, so RuntimeClass, hostNetwork and the containers that name a claim are not known: the service account needs get on pods",
      { error },
    );
  }

  async prepare(ref: ClaimRef, signal: AbortSignal): Promise<readonly PreparedDevice[]> {
    try {
      return await this.#prepare(ref, signal);
    } catch (error) {
      this.#parts.reports.prepareFailed(ref, error);
      throw error;
    }
  }

  async #prepare(ref: ClaimRef, signal: AbortSignal): Promise<readonly PreparedDevice[]> {
    const { client, driver } = this.#parts;
    const named = `claim ${ref.namespace}/${ref.name}`;
    const { readClaim } = await import("../kube/claims.ts"); // as late as the schema of allocatedClaim
    const facts = await readClaim(client, ref, driver, signal);
    if (facts === undefined) throw new ClaimError(`${named} does not exist any more`);
    if (facts.uid !== ref.uid)
      throw new ClaimError(
        `${named} was replaced: the kubelet asks for UID ${ref.uid}, the API server has ${facts.uid}`,
      );
    if (!facts.allocated) throw new ClaimError(`${named} is not allocated`);
    if (facts.results.length === 0) return [];
    const pod = await this.#consumer(facts, named, signal);
    const problem = this.#parts.runtimeProblem();
    if (problem !== undefined) throw new ClaimError(problem);
    const asked = await allocatedClaim(facts, this.#parts.authority);
    const allocated = await withLayers(this.#parts, asked, pod, signal);
    const records = await prepareClaim(this.#parts, allocated, pod, signal);
    this.#parts.log.info("claim prepared", {
      claimUid: facts.uid,
      claim: `${facts.namespace}/${facts.name}`,
      pod: `${pod.namespace}/${pod.name}`,
      devices: records.map((record) => record.device),
      leftOut: records.flatMap((record) => record.plan.leftOut ?? []),
    });
    this.#parts.reports.prepared(facts);
    this.#parts.onChange();
    return records.map((record) => this.#prepared(record));
  }

  async unprepare(ref: ClaimRef, _signal: AbortSignal): Promise<void> {
    const { store } = this.#parts;
    // A profile may be held although no device was prepared.
    if (store.ofClaim(ref.uid).length === 0 && store.profiles.ofClaim(ref.uid).length === 0) return;
    await endClaim(this.#parts, ref.uid);
    this.#parts.reports.unprepared(ref);
    this.#parts.log.info("claim unprepared", { claimUid: ref.uid, claim: `${ref.namespace}/${ref.name}` });
    this.#parts.onChange();
  }

  #prepared(record: ClaimDevice): PreparedDevice {
    const request = baseRequest(record.request);
    return {
      requests: [request],
      pool: record.pool,
      device: record.device,
      // An id that the runtime cannot resolve would keep the container from starting for ever.
      cdiDeviceIds: this.#parts.receiptsUnseen ? [] : [cdiDeviceId(this.#parts.driver, record.claimUid, request)],
      ...(record.shareId === "" ? {} : { shareId: record.shareId }),
    };
  }

  /** The one pod that the claim is for. A 403 leaves us without the names of its containers, as DRANET is. */
  async #consumer(facts: ClaimFacts, named: string, signal: AbortSignal): Promise<ConsumerPod> {
    const [consumer, second] = facts.reservedFor;
    if (consumer === undefined) throw new ClaimError(`${named} is reserved for no pod`);
    if (second !== undefined)
      throw new ClaimError(
        `${named} is reserved for ${facts.reservedFor.length} pods, ${consumer.name} and ${second.name} among them: a network device is in one pod at a time, give each pod its own claim (a ResourceClaimTemplate does)`,
      );
    if (consumer.resource !== "pods" || consumer.apiGroup !== "")
      throw new ClaimError(`${named} is reserved for a ${consumer.resource} and not for a pod`);
    const ref = { namespace: facts.namespace, name: consumer.name };
    const pod = await this.#readPod(ref, signal);
    if (pod === "forbidden") return { ...ref, uid: consumer.uid, hostNetwork: false };
    if (pod === undefined || pod.uid !== consumer.uid)
      throw new ClaimError(
        `pod ${ref.namespace}/${ref.name} with UID ${consumer.uid}, which ${named} is reserved for, does not exist any more`,
      );
    const problem = await handlerProblem(this.#parts, pod, signal);
    if (problem !== undefined) throw new ClaimError(problem);
    return { ...ref, uid: pod.uid, hostNetwork: pod.hostNetwork, namedBy: namedBy(pod, facts.name) };
  }

  async #readPod(
    ref: { namespace: string; name: string },
    signal: AbortSignal,
  ): Promise<PodFacts | undefined | "forbidden"> {
    const { readPod } = await import("../kube/pods.ts");
    try {
      return await readPod(this.#parts.client, ref, signal);
    } catch (error) {
      if (isForbidden(error)) {
        this.#tellForbidden(error);
        return "forbidden";
      }
      throw new ClaimError(`pod ${ref.namespace}/${ref.name} cannot be read`, { cause: error });
    }
  }
}

/** Containers that list the claim under `resources.claims`. */
function namedBy(pod: PodFacts, claimName: string): readonly string[] {
  const names = Object.entries(pod.claimNames).flatMap(([own, claim]) => (claim === claimName ? [own] : []));
  return pod.containers.filter((c) => c.claims.some((claim) => names.includes(claim.name))).map((c) => c.name);
}
