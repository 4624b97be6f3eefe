/** When pods become ready, as the API server tells one who watches. */

import type { Cluster } from "../lab/cluster/cluster.ts";
import type { PodObject } from "../lab/cluster/workload.ts";

const READY_LIMIT_MS = 120_000;
const PODS = "/api/v1/namespaces/default/pods";

export class PodWatch implements AsyncDisposable {
  readonly #ended = new AbortController();
  readonly #waiting = new Map<string, (atMs: number) => void>();
  #reading: Promise<void> = Promise.resolve();
  #count = 0;

  static async start(cluster: Cluster): Promise<PodWatch> {
    const watch = new PodWatch();
    const stream = await cluster.api.stream(`${PODS}?watch=1&timeoutSeconds=86400`, watch.#ended.signal);
    watch.#reading = watch.#read(stream);
    return watch;
  }

  /** Of pods that were waited for: for names. */
  get count(): number {
    return this.#count;
  }

  /** The time, by performance.now(), at which the pod's containers were told to be ready. Ask before creating it. */
  ready(name: string): Promise<number> {
    this.#count += 1;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(() => reject(new Error(`the pod ${name} is not ready`)), READY_LIMIT_MS);
    this.#waiting.set(name, resolve);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(name);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#reading;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const chunk of stream) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) this.#see((JSON.parse(line) as { readonly object: PodObject }).object);
      }
    } catch (error) {
      if (!this.#ended.signal.aborted) throw error;
    }
  }

  #see({ metadata, status }: PodObject): void {
    if (status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true)
      this.#waiting.get(metadata.name)?.(performance.now());
  }
}
