/**
 * How many requests netferry's agent makes. The API server counts by flow schema, and these two take in the agent's
 * requests and nobody else's.
 */

import type { Workload } from "./workload.ts";

export type RequestKind = "reads" | "writes";

const VERBS: Readonly<Record<RequestKind, readonly string[]>> = {
  reads: ["get", "list", "watch"],
  writes: ["create", "update", "patch", "delete", "deletecollection"],
};
const METRIC = "apiserver_flowcontrol_dispatched_requests_total{";

export class RequestCounter {
  readonly #workload: Workload;

  private constructor(workload: Workload) {
    this.#workload = workload;
  }

  /** Counts from a while after it on: the API server has to see the schemas first. */
  static async start(workload: Workload): Promise<RequestCounter> {
    await workload.create(schemaOf("reads"), schemaOf("writes"));
    return new RequestCounter(workload);
  }

  async count(): Promise<Readonly<Record<RequestKind, number>>> {
    const text = await this.#workload.cluster.api.text("/metrics");
    const lines = text.split("\n").filter((line) => line.startsWith(METRIC));
    const sum = (kind: RequestKind) =>
      lines
        .filter((line) => line.includes(`flow_schema="${nameOf(kind)}"`))
        .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
    return { reads: sum("reads"), writes: sum("writes") };
  }
}

function nameOf(kind: RequestKind): string {
  return `netferry-${kind}`;
}

function schemaOf(kind: RequestKind): object {
  const subjects = [{ kind: "ServiceAccount", serviceAccount: { namespace: "netferry", name: "netferry" } }];
  const everything = { apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true };
  return {
    apiVersion: "flowcontrol.apiserver.k8s.io/v1",
    kind: "FlowSchema",
    metadata: { name: nameOf(kind) },
    spec: {
      matchingPrecedence: 500,
      priorityLevelConfiguration: { name: "workload-high" },
      rules: [{ subjects, resourceRules: [{ verbs: VERBS[kind], ...everything }] }],
    },
  };
}
