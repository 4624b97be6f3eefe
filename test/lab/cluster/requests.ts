/**
 * How many requests an agent makes. The API server counts by flow schema, and these two take in those of the agent's
 * service account and nobody else's.
 */

import type { Workload } from "./workload.ts";

export type RequestKind = "reads" | "writes";

const VERBS: Readonly<Record<RequestKind, readonly string[]>> = {
  reads: ["get", "list", "watch"],
  writes: ["create", "update", "patch", "delete", "deletecollection"],
};
const METRIC = "apiserver_flowcontrol_dispatched_requests_total{";

export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

const NETFERRY: ServiceAccount = { namespace: "netferry", name: "netferry" };

export class RequestCounter {
  readonly #workload: Workload;
  readonly #account: ServiceAccount;

  private constructor(workload: Workload, account: ServiceAccount) {
    this.#workload = workload;
    this.#account = account;
  }

  /** Counts from a while after it on: the API server has to see the schemas first. */
  static async start(workload: Workload, account = NETFERRY): Promise<RequestCounter> {
    await workload.create(schemaOf("reads", account), schemaOf("writes", account));
    return new RequestCounter(workload, account);
  }

  async count(): Promise<Readonly<Record<RequestKind, number>>> {
    const text = await this.#workload.cluster.api.text("/metrics");
    const lines = text.split("\n").filter((line) => line.startsWith(METRIC));
    const sum = (kind: RequestKind) =>
      lines
        .filter((line) => line.includes(`flow_schema="${nameOf(kind, this.#account)}"`))
        .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
    return { reads: sum("reads"), writes: sum("writes") };
  }
}

function nameOf(kind: RequestKind, { name }: ServiceAccount): string {
  return `${name}-${kind}`;
}

function schemaOf(kind: RequestKind, account: ServiceAccount): object {
  const subjects = [{ kind: "ServiceAccount", serviceAccount: account }];
  const everything = { apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true };
  return {
    apiVersion: "flowcontrol.apiserver.k8s.io/v1",
    kind: "FlowSchema",
    metadata: { name: nameOf(kind, account) },
    spec: {
      matchingPrecedence: 500,
      priorityLevelConfiguration: { name: "workload-high" },
      rules: [{ subjects, resourceRules: [{ verbs: VERBS[kind], ...everything }] }],
    },
  };
}
