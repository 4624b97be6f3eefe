/** What an agent in cluster mode meets: the kubelet's part, a runtime's NRI socket, an API server over TLS. */

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICE_ACCOUNT_DIRECTORY } from "../../src/kube/client/in-cluster.ts";
import { ApiLab } from "../fakes/api-client.ts";
import type { FakeApiServer } from "../fakes/api-server.ts";
import { FakeNriRuntime } from "../fakes/nri-runtime.ts";
import { run } from "../lab/netns.ts";
import type { Containerd } from "../lab/runtime/containerd.ts";
import { type ClaimRef, Kubelet } from "../lab/runtime/kubelet.ts";
import { BenchAgent } from "./agent.ts";
import { DRIVER } from "./netferry-side.ts";

const NODE = "bench-node";
const PORT = 19_178;
const STORE = "store";
const CLAIMS = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";

/** Stand-ins on real sockets: the figures are those of netferry and not of somebody's API server. */
export class ClusterSide implements AsyncDisposable {
  readonly runtime: FakeNriRuntime;
  readonly kubelet: Kubelet;
  readonly #api: FakeApiServer;
  readonly #dir: string;
  readonly #owner: AsyncDisposableStack;
  #agents = 0;

  private constructor(
    owner: AsyncDisposableStack,
    parts: { readonly api: FakeApiServer; readonly runtime: FakeNriRuntime; readonly kubelet: Kubelet },
    dir: string,
  ) {
    this.#owner = owner;
    this.#api = parts.api;
    this.runtime = parts.runtime;
    this.kubelet = parts.kubelet;
    this.#dir = dir;
  }

  static async start(dir: string, lab: Containerd): Promise<ClusterSide> {
    await using owner = new AsyncDisposableStack();
    for (const folder of ["plugins_registry", "plugins"]) mkdirSync(join(dir, "kubelet", folder), { recursive: true });
    const apiLab = owner.use(new ApiLab());
    const api = await apiLab.start();
    api.store.add("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name: NODE } });
    // As a pod of a DaemonSet has them; the mounts are this section's alone.
    for (const mounted of [SERVICE_ACCOUNT_DIRECTORY, join(dir, "cdi")]) {
      mkdirSync(mounted, { recursive: true });
      run(["mount", "-t", "tmpfs", "tmpfs", mounted]);
      owner.defer(() => void run(["umount", mounted]));
    }
    mountStore(dir, owner);
    writeFileSync(join(SERVICE_ACCOUNT_DIRECTORY, "token"), "token");
    copyFileSync(apiLab.authority.certFile, join(SERVICE_ACCOUNT_DIRECTORY, "ca.crt"));
    const runtime = owner.use(await FakeNriRuntime.listen(join(dir, "nri.sock")));
    const kubelet = owner.use(new Kubelet({ lab, rootDir: join(dir, "kubelet") }));
    return new ClusterSide(owner.move(), { api, runtime, kubelet }, dir);
  }

  /** Starts the agent, registers it as the kubelet does, and answers how long it took to be ready. */
  async agent(): Promise<{ readonly agent: BenchAgent; readonly readyMs: number }> {
    const { hostname, port } = new URL(this.#api.url);
    const own = join(this.#dir, `cluster-${++this.#agents}`);
    mkdirSync(own);
    const agent = new BenchAgent(
      [
        ...["--hostname-override", NODE, "--kubelet-root-dir", join(this.#dir, "kubelet")],
        ...["--nri-socket", join(this.#dir, "nri.sock")],
        ...["--db-path", join(this.#dir, STORE, `netferry-${this.#agents}.db`)],
        ...["--cdi-dir", join(this.#dir, "cdi"), "--netns-dir", "/run/netns"],
      ],
      PORT,
      join(own, "log"),
      { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
    );
    await this.kubelet.register(DRIVER);
    return { agent, readyMs: await agent.ready() };
  }

  /** A claim of a pod, allocated and reserved, as the scheduler leaves it. */
  claim(name: string, device: string, config: object): ClaimRef {
    const pod = this.#api.store.add("/api/v1/namespaces/default/pods", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default" },
      spec: {
        nodeName: NODE,
        resourceClaims: [{ name: "net", resourceClaimName: name }],
        containers: [{ name: "main", resources: { claims: [{ name: "net" }] } }],
      },
    });
    const claim = this.#api.store.add(CLAIMS, {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaim",
      metadata: { name, namespace: "default" },
      status: {
        reservedFor: [{ resource: "pods", name, uid: pod.metadata.uid }],
        allocation: {
          devices: {
            results: [{ request: "nic", driver: DRIVER, pool: NODE, device }],
            config: [{ source: "FromClaim", requests: [], opaque: { driver: DRIVER, parameters: config } }],
          },
        },
      },
    });
    return { namespace: "default", name, uid: String(claim.metadata.uid) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owner.disposeAsync();
  }
}

/** Another file system than the agent's root, as a pod's hostPath is, in which what is durable still goes to the disk. */
function mountStore(dir: string, owner: AsyncDisposableStack): void {
  const store = join(dir, STORE);
  const layer = (name: string) => join(dir, `store-${name}`);
  for (const folder of [layer("lower"), layer("upper"), layer("work"), store]) mkdirSync(folder);
  const layers = `lowerdir=${layer("lower")},upperdir=${layer("upper")},workdir=${layer("work")}`;
  run(["mount", "-t", "overlay", "overlay", "-o", layers, store]);
  owner.defer(() => void run(["umount", store]));
}
