/** Pods without claims that come and go, two at a time, until disposed. */

import { pod, type Workload } from "../lab/cluster/workload.ts";
import type { PodWatch } from "./pod-watch.ts";

const WORKERS = 2;

export class Churn implements AsyncDisposable {
  readonly #workload: Workload;
  readonly #watch: PodWatch;
  readonly #ended = new AbortController();
  readonly #workers: readonly Promise<void>[];

  constructor(workload: Workload, watch: PodWatch) {
    this.#workload = workload;
    this.#watch = watch;
    this.#workers = Array.from({ length: WORKERS }, () => this.#run());
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const name = `churn-${this.#watch.count}`;
      const ready = this.#watch.ready(name);
      await this.#workload.cluster.api.json("/api/v1/namespaces/default/pods", { method: "POST", body: pod(name, {}) });
      await ready;
      await this.#workload.deletePods(name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#workers);
  }
}
