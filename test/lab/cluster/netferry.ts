/** netferry in the cluster as a user installs it: the image, and `deploy/install.yaml` with arguments added. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import type { LogLine } from "../agent.ts";
import type { Cluster } from "./cluster.ts";
import { writeNetferryImage } from "./netferry-image.ts";
import { until } from "./wait.ts";

export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // biome-ignore lint/suspicious/noExplicitAny: a test reaches into objects of every kind
  [field: string]: any;
}

export interface InstallOptions {
  /** Added to those of the manifest. Where the HTTP side listens is added anyway: the node shares its ports with the host. */
  readonly args?: readonly string[];
  /** Environment of the container, beside the manifest's. */
  readonly env?: Readonly<Record<string, string>>;
  /** A path; default `deploy/install.yaml`. */
  readonly manifest?: string;
  /** Changes objects before they are applied. */
  readonly edit?: (object: Manifest) => void;
  /** What to wait for, beside the pod; default `readyz`: that all conditions hold. */
  readonly until?: "readyz" | "healthz";
}

const DEPLOY = join(import.meta.dir, "../../../deploy");
const READY_LIMIT_MS = 90_000;
const GONE_LIMIT_MS = 60_000;
const HTTP_LIMIT_MS = 5_000;

/** Imports the image; once for a cluster. */
export async function importNetferry(cluster: Cluster): Promise<void> {
  const archive = join(cluster.dir, "netferry-image.tar");
  await writeNetferryImage(archive);
  await cluster.importImages(archive);
}

export function readManifest(name = "install.yaml"): Manifest[] {
  return parseAllDocuments(readFileSync(resolve(DEPLOY, name), "utf8")).map((document) => document.toJS() as Manifest);
}

export function toYaml(objects: readonly object[]): string {
  return objects.map((object) => stringify(object)).join("---\n");
}

/** Applies the manifest. */
export async function installNetferry(cluster: Cluster, options: InstallOptions = {}): Promise<Netferry> {
  const objects = readManifest(options.manifest);
  let daemonSet: Manifest | undefined;
  for (const object of objects) {
    if (object.kind === "DaemonSet") {
      daemonSet = object;
      const container = object["spec"].template.spec.containers[0];
      container.args = [
        ...(container.args ?? []),
        `--bind-address=${cluster.nodeAddress}:9177`,
        ...(options.args ?? []),
      ];
      for (const [name, value] of Object.entries(options.env ?? {})) container.env.push({ name, value });
    }
    options.edit?.(object);
  }
  if (daemonSet === undefined) throw new Error(`${options.manifest} has no DaemonSet`);
  await cluster.apply(toYaml(objects));
  const netferry = new Netferry(cluster, objects, daemonSet, options.until ?? "readyz");
  await netferry.ready();
  return netferry;
}

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly restartCount: number; readonly state: object }[];
  };
}

export class Netferry {
  readonly objects: readonly Manifest[];
  readonly #cluster: Cluster;
  readonly #daemonSet: Manifest;

  readonly #readyPath: "readyz" | "healthz";

  constructor(cluster: Cluster, objects: readonly Manifest[], daemonSet: Manifest, readyPath: "readyz" | "healthz") {
    this.#readyPath = readyPath;
    this.#cluster = cluster;
    this.objects = objects;
    this.#daemonSet = daemonSet;
  }

  get namespace(): string {
    return this.#daemonSet.metadata["namespace" as "name"];
  }

  get url(): string {
    return `http://${this.#cluster.nodeAddress}:9177`;
  }

  /** Its pods that are not on their way out. */
  async pods(): Promise<readonly Pod[]> {
    const labels = Object.entries<string>(this.#daemonSet["spec"].selector.matchLabels);
    const selector = encodeURIComponent(labels.map(([key, value]) => `${key}=${value}`).join(","));
    const path = `/api/v1/namespaces/${this.namespace}/pods?labelSelector=${selector}`;
    const { items } = await this.#cluster.api.json<{ items: Pod[] }>(path);
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  /** Waits until the cluster says that the pod is Ready, and the agent what install() was to wait for. */
  async ready(limitMs = READY_LIMIT_MS): Promise<void> {
    const readyPod = async () => {
      const [pod, ...others] = await this.pods();
      const ready = pod?.status.conditions?.find(({ type }) => type === "Ready");
      return others.length === 0 && ready?.status === "True" && (await this.#answersReady());
    };
    try {
      await until("the pod of netferry is Ready", readyPod, limitMs);
    } catch (cause) {
      throw new Error(`netferry does not become ready\n${await this.report()}`, { cause });
    }
  }

  /** What the agent says of its conditions; empty while it does not answer. */
  async readyz(): Promise<string> {
    return await this.#get("/readyz").then(
      (response) => response.text(),
      () => "",
    );
  }

  /** The value of a metric; `selector` is the sample's text before the value. 0 when it is not there. */
  async metric(selector: string): Promise<number> {
    const text = await (await this.#get("/metrics")).text();
    const line = text.split("\n").find((at) => at.startsWith(`${selector} `));
    return line === undefined ? 0 : Number(line.slice(selector.length + 1));
  }

  /** Of the container that runs now, or of the last one. */
  async log(): Promise<readonly LogLine[]> {
    return (await this.#logText()).flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as LogLine] : []));
  }

  /** Deletes its pods; the DaemonSet makes new ones. Waits until a new one is ready, unless `waits` is false. */
  async restart(waits = true): Promise<void> {
    const before = (await this.pods()).map(({ metadata }) => metadata.uid);
    await this.#cluster.kubectl(["-n", this.namespace, "delete", "pods", "--all", "--wait=false"]);
    const replaced = async () => {
      const now = await this.pods();
      return now.length > 0 && now.every(({ metadata }) => !before.includes(metadata.uid));
    };
    await until("netferry has a new pod", replaced, GONE_LIMIT_MS);
    if (waits) await this.ready();
  }

  /** Takes the agent off the node; what it has prepared stays as it is. */
  async stop(): Promise<void> {
    await this.#placeOn({ "netferry.test/nowhere": "true" });
    await until("netferry's pod is gone", async () => (await this.#allPods()) === 0, GONE_LIMIT_MS);
  }

  async start(waits = true): Promise<void> {
    await this.#placeOn({ "netferry.test/nowhere": null });
    if (waits) await this.ready();
  }

  async uninstall(): Promise<void> {
    await this.#cluster.kubectl(["delete", "--ignore-not-found", "--wait", "-f", "-"], { stdin: toYaml(this.objects) });
    await until("netferry's pod is gone", async () => (await this.#allPods()) === 0, GONE_LIMIT_MS);
  }

  /** For a failed wait: conditions, containers, and the end of the log. */
  async report(): Promise<string> {
    const pods = await this.pods();
    return [
      await this.readyz(),
      ...pods.map(({ status }) => JSON.stringify(status.containerStatuses?.map(({ state }) => state))),
      await this.#cluster.kubectl(["-n", this.namespace, "get", "events"]),
      ...(await this.#logText()).slice(-20),
    ].join("\n");
  }

  async #placeOn(nodeSelector: Readonly<Record<string, string | null>>): Promise<void> {
    const path = `/apis/apps/v1/namespaces/${this.namespace}/daemonsets/${this.#daemonSet.metadata.name}`;
    const body = { spec: { template: { spec: { nodeSelector } } } };
    await this.#cluster.api.json(path, { method: "PATCH", contentType: "application/merge-patch+json", body });
  }

  async #logText(): Promise<readonly string[]> {
    const [pod] = await this.pods();
    if (pod === undefined) return [];
    const text = await this.#cluster.kubectl(["-n", this.namespace, "logs", pod.metadata.name]).catch(() => "");
    return text.trimEnd().split("\n");
  }

  async #allPods(): Promise<number> {
    const { items } = await this.#cluster.api.json<{ items: Pod[] }>(`/api/v1/namespaces/${this.namespace}/pods`);
    return items.length;
  }

  async #answersReady(): Promise<boolean> {
    return await this.#get(`/${this.#readyPath}`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  #get(path: string): Promise<Response> {
    return fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(HTTP_LIMIT_MS) });
  }
}
