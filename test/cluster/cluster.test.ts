/** The lab itself: a real cluster comes up, does what a cluster does, and leaves nothing behind. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clusterBinaries } from "../lab/cluster/binaries.ts";
import { type Cluster, openCluster, startCluster } from "../lab/cluster/cluster.ts";
import { newestRelease } from "../lab/cluster/modules.ts";
import { until } from "../lab/cluster/wait.ts";
import { BUSYBOX_IMAGE } from "../lab/runtime/images.ts";
import { TOOLS_IMAGE } from "../lab/runtime/tools-image.ts";
import { hostBefore, leftOf, tracesOf } from "./traces.ts";

const RELEASE = process.env["NETFERRY_KUBERNETES"] ?? newestRelease();
/** Long enough to build everything on a machine that never has. */
const BUILD_LIMIT_MS = 40 * 60_000;
const LIMIT_MS = 400_000;
const POD_LIMIT_MS = 60_000;
const say = (line: string) => console.error(`cluster: ${line}`);

const before = hostBefore();
let cluster: Cluster;
let startSeconds = Number.POSITIVE_INFINITY;

beforeAll(async () => {
  await clusterBinaries({ release: RELEASE, say });
  const startMs = performance.now();
  cluster = await startCluster({ release: RELEASE });
  startSeconds = (performance.now() - startMs) / 1000;
}, BUILD_LIMIT_MS);

afterAll(async () => {
  if (existsSync(cluster.dir)) await cluster.down();
});

test("startCluster() has a Ready node of the release within a minute", async () => {
  expect(startSeconds).toBeLessThan(60);
  const node = await cluster.api.json<Node>(`/api/v1/nodes/${cluster.nodeName}`);
  expect(node.status.nodeInfo.kubeletVersion).toBe(cluster.versions.kubernetes);
  expect(node.status.nodeInfo.kubeletVersion).toStartWith(`v${RELEASE}.`);
  expect(node.status.nodeInfo.containerRuntimeVersion).toBe(`containerd://${cluster.versions.containerd.slice(1)}`);
  expect(node.status.capacity["pods"]).toBe("250");
});

test("the API server serves resource.k8s.io/v1", async () => {
  const { resources } = await cluster.api.json<{ resources: { name: string }[] }>("/apis/resource.k8s.io/v1");
  const names = resources.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["deviceclasses", "resourceclaims", "resourceslices"]));
});

test(
  "a pod runs, takes commands, and reaches the API server by the address of its Service",
  async () => {
    await cluster.apply(podManifest("plain"));
    await podReady("plain");
    expect(await cluster.kubectl(["exec", "plain", "--", "echo", "hello from within"])).toBe("hello from within\n");
    const fetched = "wget -q -O- --no-check-certificate https://$KUBERNETES_SERVICE_HOST/version";
    const answer = await cluster.kubectl(["exec", "plain", "--", "sh", "-c", fetched]);
    expect((JSON.parse(answer) as { gitVersion: string }).gitVersion).toBe(cluster.versions.kubernetes);
    expect(await cluster.kubectl(["logs", "plain"])).toBe("");
  },
  LIMIT_MS,
);

test(
  "a pod of the tools image has iproute2, the ping of iputils and the verbs tools",
  async () => {
    await cluster.apply(podManifest("tools", { image: TOOLS_IMAGE }));
    await podReady("tools");
    const inPod = (...argv: readonly string[]) => cluster.kubectl(["exec", "tools", "--", ...argv]);
    expect(JSON.parse(await inPod("ip", "-d", "-j", "link", "show", "eth0"))).toMatchObject([
      { ifname: "eth0", linkinfo: { info_kind: "veth" } },
    ]);
    expect(await inPod("ping", "-V")).toStartWith("ping from iputils");
    expect(await inPod("ping", "-c", "1", "-W", "2", cluster.nodeAddress)).toContain(" 0% packet loss");
    // What libibverbs says on a kernel without RDMA.
    expect(await inPod("sh", "-c", "ibv_devices 2>&1 || true")).toMatch(/node GUID|Failed to get IB devices list/);
    await cluster.kubectl(["delete", "pod", "tools"]);
  },
  LIMIT_MS,
);

test(
  "a node may not touch another node's objects: Node authorizer, RBAC and NodeRestriction are on",
  async () => {
    const asKubelet = { "Impersonate-User": `system:node:${cluster.nodeName}`, "Impersonate-Group": "system:nodes" };
    const own = await cluster.api.json<Node>(`/api/v1/nodes/${cluster.nodeName}`, { headers: asKubelet });
    expect(own.metadata.name).toBe(cluster.nodeName);
    const asNobody = { "Impersonate-User": "nobody" };
    await expect(cluster.api.json("/api/v1/nodes", { headers: asNobody })).rejects.toThrow(/403 .*nobody/);
    const label = { metadata: { labels: { "node-restriction.kubernetes.io/x": "y" } } };
    const patch = {
      method: "PATCH",
      headers: asKubelet,
      contentType: "application/merge-patch+json",
      body: label,
    } as const;
    await expect(cluster.api.json(`/api/v1/nodes/${cluster.nodeName}`, patch)).rejects.toThrow(/403/);
  },
  LIMIT_MS,
);

test(
  "a pod whose claim is allocated to a driver that is not there does not start",
  async () => {
    await cluster.apply(claimManifests());
    const message = "FailedPrepareDynamicResources";
    await until(
      "the kubelet says that it cannot prepare the claim",
      async () => {
        const { items } = await cluster.api.json<{ items: Event[] }>("/api/v1/namespaces/default/events");
        return items.some((event) => event.involvedObject.name === "claiming" && event.reason === message);
      },
      POD_LIMIT_MS,
    );
    const claim = await cluster.api.json<Claim>(
      "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/hand-written",
    );
    expect(claim.status.allocation?.devices.results).toMatchObject([
      { driver: "nobody.test", pool: cluster.nodeName, device: "dev-0" },
    ]);
    const pod = await getPod("claiming");
    expect(pod.spec.nodeName).toBe(cluster.nodeName);
    expect(pod.status.containerStatuses?.map(({ state }) => state.waiting?.reason)).toEqual(["ContainerCreating"]);
  },
  LIMIT_MS,
);

test(
  "parts restart under a running pod, and another process finds the cluster",
  async () => {
    const pod = await getPod("plain");
    const other = openCluster(cluster.dir);
    expect(other?.parts.kubelet.pid).toBe(cluster.parts.kubelet.pid);
    const pids = [cluster.parts.kubelet.pid, cluster.parts.containerd.pid, cluster.parts.apiserver.pid];
    await cluster.parts.kubelet.stop();
    expect(other?.parts.kubelet.pid).toBeUndefined();
    await cluster.parts.containerd.restart("SIGKILL");
    await cluster.parts.apiserver.restart();
    await cluster.parts.kubelet.start();
    await cluster.ready();
    expect(pids).not.toContain(cluster.parts.kubelet.pid);
    expect(pids).not.toContain(cluster.parts.containerd.pid);
    expect(pids).not.toContain(cluster.parts.apiserver.pid);
    expect(await cluster.kubectl(["exec", "plain", "--", "echo", "still here"])).toBe("still here\n");
    expect((await getPod("plain")).status.containerStatuses?.[0]?.containerID).toBe(
      pod.status.containerStatuses?.[0]?.containerID ?? "",
    );
  },
  LIMIT_MS,
);

test(
  "reboot() ends everything, empties /run, keeps /var/lib, and pods come back",
  async () => {
    const first = (await getPod("plain")).status.containerStatuses?.[0]?.containerID;
    for (const path of ["/run/of-this-boot", "/var/lib/kubelet/kept"]) writeFileSync(cluster.hostPath(path), "x");
    const traces = tracesOf(cluster);
    await cluster.reboot(async () => {
      expect(leftOf({ ...traces, cgroups: [], addresses: [] }, before).filter(isOfBoot)).toEqual([]);
    });
    expect(existsSync(cluster.hostPath("/run/of-this-boot"))).toBe(false);
    expect(existsSync(cluster.hostPath("/var/lib/kubelet/kept"))).toBe(true);
    await until(
      "the pod runs in a new container",
      async () => {
        const status = (await getPod("plain")).status.containerStatuses?.[0];
        return status?.ready === true && status.containerID !== first;
      },
      POD_LIMIT_MS,
    );
  },
  LIMIT_MS,
);

test(
  "inNode() runs a command where the node's paths are, with the host's network and processes",
  async () => {
    const inNode = Bun.spawnSync(cluster.inNode(["ls", "/var/lib/kubelet", "/run/containerd/containerd.sock"]));
    expect(inNode.stdout.toString()).toContain("pods");
    expect(inNode.exitCode).toBe(0);
    expect(Bun.spawnSync(cluster.inNode(["readlink", "/proc/self/ns/net"])).stdout.toString()).toBe(
      Bun.spawnSync(["readlink", "/proc/self/ns/net"]).stdout.toString(),
    );
  },
  LIMIT_MS,
);

test(
  "down() leaves no process, mount, namespace, link, cgroup, address, folder or kernel setting",
  async () => {
    const stray = Bun.spawn(cluster.inNode(["sleep", "1000000"]));
    await until("the stray belongs to the cluster", () => cluster.cgroup.pids().includes(stray.pid), 5_000);
    const traces = tracesOf(cluster);
    expect(traces.processes.length).toBeGreaterThan(7); // six parts, the holder, the stray, pods
    expect(traces.namespaces.length).toBeGreaterThan(1);
    expect(traces.links.length).toBeGreaterThan(0);
    expect(leftOf(traces, before).length).toBeGreaterThan(10); // it can see them
    await cluster.down();
    expect(leftOf(traces, before)).toEqual([]);
    expect(existsSync(join(cluster.dir))).toBe(false);
  },
  LIMIT_MS,
);

interface Node {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly capacity: Readonly<Record<string, string>>;
    readonly nodeInfo: { readonly kubeletVersion: string; readonly containerRuntimeVersion: string };
  };
}

interface Pod {
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly containerStatuses?: readonly {
      readonly ready: boolean;
      readonly containerID?: string;
      readonly state: { readonly waiting?: { readonly reason: string } };
    }[];
  };
}

interface Claim {
  readonly status: { readonly allocation?: { readonly devices: { readonly results: readonly unknown[] } } };
}

interface Event {
  readonly reason: string;
  readonly involvedObject: { readonly name: string };
}

function getPod(name: string): Promise<Pod> {
  return cluster.api.json<Pod>(`/api/v1/namespaces/default/pods/${name}`);
}

async function podReady(name: string): Promise<void> {
  const ready = async () => (await getPod(name)).status.containerStatuses?.every((status) => status.ready) === true;
  await until(`the pod ${name} is ready`, ready, POD_LIMIT_MS);
}

/** What a reboot takes with it, of what leftOf() tells. */
function isOfBoot(line: string): boolean {
  return /^(process|mount|link)/.test(line);
}

function podManifest(name: string, { claims = "", image = BUSYBOX_IMAGE } = {}): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  terminationGracePeriodSeconds: 0
  ${claims}
  containers:
    - name: main
      image: ${image}
      command: [sleep, "1000000"]
`;
}

function claimManifests(): string {
  return `
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: { name: nobody.test }
spec: { selectors: [{ cel: { expression: 'device.driver == "nobody.test"' } }] }
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: { name: hand-written }
spec:
  driver: nobody.test
  nodeName: ${cluster.nodeName}
  pool: { name: ${cluster.nodeName}, generation: 1, resourceSliceCount: 1 }
  devices: [{ name: dev-0 }]
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: { name: hand-written }
spec: { devices: { requests: [{ name: nic, exactly: { deviceClassName: nobody.test } }] } }
---
${podManifest("claiming", { claims: "resourceClaims: [{ name: nic, resourceClaimName: hand-written }]" })}`;
}
