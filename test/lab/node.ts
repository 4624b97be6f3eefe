/** A node for tests: a real containerd, the kubelet's part, an API server with state, and netferry as its own process. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConfigEntry } from "../../src/config/merge.ts";
import { ApiLab } from "../fakes/api-client.ts";
import type { FakeApiServer } from "../fakes/api-server.ts";
import type { Stored } from "../fakes/object-store.ts";
import { Agent } from "./agent.ts";
import { type Containerd, type ContainerdOptions, startContainerd } from "./runtime/containerd.ts";
import { type ClaimRef, Kubelet } from "./runtime/kubelet.ts";
import type { Pods } from "./runtime/pods.ts";

export const DRIVER = "dra.net";
export const NODE = "test-node";

export interface ClaimOptions {
  /** Name of the device in the pool, by request; a string means one request `nic`. */
  readonly devices: string | Readonly<Record<string, string>>;
  /** Of the claim. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The claim's own configuration for the driver. */
  readonly config?: object;
  /** The same for single requests. */
  readonly configs?: Readonly<Record<string, object>>;
  /** What the DeviceClass says. */
  readonly classConfig?: object;
  /** By request, of devices that several claims share. */
  readonly shareIds?: Readonly<Record<string, string>>;
  /** Containers of the pod that list the claim; default `["main"]`. */
  readonly namedBy?: readonly string[];
  readonly hostNetwork?: boolean;
  /** Another claim, whose pod has this one too; default: a pod of its own. */
  readonly beside?: ClaimRef;
}

const PODS = "/api/v1/namespaces/default/pods";

export class TestNode implements AsyncDisposable {
  readonly lab: Containerd;
  readonly api: FakeApiServer;
  readonly kubelet: Kubelet;
  readonly dir: string;
  readonly #apiLab: ApiLab;
  readonly #agents: Agent[] = [];
  readonly #kubeconfig: string;

  private constructor(lab: Containerd, apiLab: ApiLab, api: FakeApiServer, dir: string) {
    this.lab = lab;
    this.api = api;
    this.dir = dir;
    this.#apiLab = apiLab;
    this.#kubeconfig = apiLab.kubeconfig(api, {});
    this.kubelet = new Kubelet({ lab, rootDir: join(dir, "kubelet") });
    api.store.add("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name: NODE } });
  }

  static async start(options: ContainerdOptions): Promise<TestNode> {
    const dir = mkdtempSync(join(tmpdir(), "netferry-node-"));
    for (const folder of ["kubelet/plugins_registry", "kubelet/plugins"])
      mkdirSync(join(dir, folder), { recursive: true });
    const apiLab = new ApiLab();
    return new TestNode(await startContainerd(options), apiLab, await apiLab.start(), dir);
  }

  get #database(): string {
    return join(this.dir, "netferry.db");
  }

  /** The certificate of the authority that the API server's is from. */
  get authorityFile(): string {
    return this.#apiLab.authority.certFile;
  }

  get pods(): Pods {
    return this.kubelet.pods;
  }

  /** Starts netferry and waits until it is ready, unless `waits` is false. */
  async agent(
    options: {
      readonly faults?: string;
      readonly waits?: boolean;
      readonly args?: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<Agent> {
    const agent = new Agent({
      args: [
        ...["--kubeconfig", this.#kubeconfig, "--hostname-override", NODE, "--filter="],
        ...["--nri-socket", this.lab.nriSocket, "--cdi-dir", this.lab.cdiDir, "--netns-dir", this.lab.netnsDir],
        ...["--kubelet-root-dir", join(this.dir, "kubelet"), "--db-path", this.#database],
        ...["--inventory-min-poll-interval", "50ms", "--inventory-max-poll-interval", "1s"],
        // No test asks the metadata service of the machine that it runs on.
        ...["--cloud-provider-hint", "NONE"],
        ...(options.args ?? []),
      ],
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.faults === undefined ? {} : { faults: options.faults }),
    });
    this.#agents.push(agent);
    if (options.waits !== false) {
      await agent.url();
      await this.kubelet.register(DRIVER);
      await agent.ready();
    }
    return agent;
  }

  /** A pod object with its claim, allocated and reserved, as the scheduler leaves them. */
  claim(name: string, options: ClaimOptions): ClaimRef & { readonly podUid: string } {
    const devices = typeof options.devices === "string" ? { nic: options.devices } : options.devices;
    const pod =
      options.beside === undefined ? this.#addPod(name, options) : this.#alsoClaims(options.beside.name, name);
    const claim = this.api.store.add("/apis/resource.k8s.io/v1/namespaces/default/resourceclaims", {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaim",
      metadata: {
        name,
        namespace: "default",
        ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
      },
      status: {
        reservedFor: [{ resource: "pods", name: pod.metadata.name, uid: pod.metadata.uid }],
        allocation: {
          devices: {
            results: Object.entries(devices).map(([request, device]) => ({
              request,
              driver: DRIVER,
              pool: NODE,
              device,
              ...(options.shareIds?.[request] === undefined ? {} : { shareID: options.shareIds[request] }),
            })),
            config: configsOf(options).map(({ source, requests, parameters }) => ({
              source,
              requests,
              opaque: { driver: DRIVER, parameters },
            })),
          },
        },
      },
    });
    return { namespace: "default", name, uid: String(claim.metadata.uid), podUid: String(pod.metadata.uid) };
  }

  #addPod(name: string, { hostNetwork = false, namedBy = ["main"] }: ClaimOptions): Stored {
    return this.api.store.add(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default" },
      spec: {
        nodeName: NODE,
        hostNetwork,
        resourceClaims: [{ name: "net", resourceClaimName: name }],
        containers: namedBy.map((container) => ({ name: container, resources: { claims: [{ name: "net" }] } })),
      },
    });
  }

  /** Its container `main` names the claim as well. */
  #alsoClaims(podName: string, claimName: string): Stored {
    const pod = this.api.store.get(`${PODS}/${podName}`);
    if (pod === undefined) throw new Error(`there is no pod ${podName}`);
    const claims = [...((pod.spec?.["resourceClaims"] ?? []) as object[])];
    claims.push({ name: claimName, resourceClaimName: claimName });
    const named = claims.map((claim) => ({ name: Reflect.get(claim, "name") }));
    const containers = [{ name: "main", resources: { claims: named } }];
    return this.api.store.replace(PODS, { ...pod, spec: { ...pod.spec, resourceClaims: claims, containers } });
  }

  /** Kills those that still run, and forgets what they stored: the next one starts afresh. */
  async stopAgents(): Promise<void> {
    for (const agent of this.#agents.splice(0)) await agent[Symbol.asyncDispose]();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${this.#database}${suffix}`, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAgents();
    this.kubelet[Symbol.dispose]();
    await this.lab.stop();
    await this.#apiLab[Symbol.asyncDispose]();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Each with the requests that it is for; none: all. */
function configsOf({ classConfig, config, configs = {} }: ClaimOptions): readonly ConfigEntry[] {
  return [
    ...(classConfig === undefined ? [] : [{ source: "FromClass" as const, requests: [], parameters: classConfig }]),
    ...(config === undefined ? [] : [{ source: "FromClaim" as const, requests: [], parameters: config }]),
    ...Object.entries(configs).map(([request, parameters]) => ({
      source: "FromClaim" as const,
      requests: [request],
      parameters,
    })),
  ];
}
