/** The chart, rendered by Helm itself: what `deploy/install.yaml` installs, and what DRANET's values mean. */

import { beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { parseCommandLine } from "../../src/config/flags.ts";
import { build } from "../lab/cluster/build.ts";
import { helmModule } from "../lab/cluster/modules.ts";
import { type Manifest, readManifest, toYaml } from "../lab/cluster/netferry.ts";
import { run } from "../lab/cluster/run.ts";
import { byName, claim, pod } from "../lab/cluster/workload.ts";
import { uniqueName } from "../lab/links.ts";
import { isHome, NetferryLab, netConfig } from "./netferry-lab.ts";
import { RELEASE } from "./release.ts";

const START_LIMIT_MS = 20 * 60_000;
const CHART = join(import.meta.dir, "../../deploy/helm/netferry");
const EXAMPLES = join(import.meta.dir, "../../deploy/examples");
const DRANET_VALUES = join(import.meta.dir, "../fixtures/dranet-values.yaml");

let helm: string;
beforeAll(async () => {
  helm = join((await build(helmModule(), console.log)).bin, "helm");
}, START_LIMIT_MS);

/** `values` on top of the files. */
async function render(values: object = {}, files: readonly string[] = []): Promise<readonly Manifest[]> {
  const given = files.flatMap((file) => ["-f", file]);
  const release = ["netferry", CHART, "--namespace", "netferry", "--kube-version", RELEASE];
  const text = await run([helm, "template", ...release, ...given, "-f", "-"], {
    stdin: stringify(values),
    limitMs: 30_000,
  });
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

function one(objects: readonly Manifest[], kind: string): Manifest {
  const [found, ...others] = objects.filter((object) => object.kind === kind);
  if (found === undefined || others.length > 0) throw new Error(`there are ${others.length} or no objects ${kind}`);
  return found;
}

/** What the arguments say, however they say it. */
function configOf(daemonSet: Manifest) {
  const parsed = parseCommandLine(daemonSet["spec"].template.spec.containers[0].args);
  if (parsed.command !== "run") throw new Error(`the arguments are of the command ${parsed.command}`);
  return parsed;
}

/** The pod without what is the chart's own: labels, names of ports and volumes' order; arguments as what they say. */
function podOf(daemonSet: Manifest): object {
  const { spec, metadata } = structuredClone(daemonSet["spec"].template);
  const { args: _, ports, ...container } = spec.containers[0];
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"])
    container[probe].httpGet.port = ports.find((port: { name: string }) => port.name === container[probe].httpGet.port);
  return {
    annotations: metadata.annotations,
    ...spec,
    containers: [{ ...container, ports: ports.map(({ containerPort }: { containerPort: number }) => containerPort) }],
    config: configOf(daemonSet).config,
  };
}

const withoutNames = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (key, inner) => (key === "limits" || key === "name" ? undefined : inner)));

describe("the chart", () => {
  test("has nothing that helm's own check complains of", async () => {
    expect(await run([helm, "lint", "--strict", CHART], { limitMs: 30_000 })).toContain("0 chart(s) failed");
  });

  test("installs what deploy/install.yaml installs", async () => {
    const plain = readManifest();
    const rendered = await render({ image: { tag: "latest" } });
    const kinds = (objects: readonly Manifest[]) => objects.map(({ kind }) => kind).toSorted();
    expect(kinds(rendered)).toEqual(kinds(plain).filter((kind) => kind !== "Namespace"));
    for (const { kind } of rendered) {
      const [ours, theirs] = [one(rendered, kind), one(plain, kind)];
      expect([kind, ours.metadata.name]).toEqual([kind, theirs.metadata.name]);
      if (kind === "DaemonSet") expect(withoutNames(podOf(ours))).toEqual(withoutNames(podOf(theirs)));
      else for (const field of ["rules", "roleRef", "subjects", "spec"]) expect(ours[field]).toEqual(theirs[field]);
    }
  });

  test("refuses a value that it does not know, with its name", async () => {
    const refused = await render({ args: { fliter: "true" } }).catch(String);
    expect(refused).toContain("fliter");
  });

  test("takes other folders, a name and privileges", async () => {
    const objects = await render({
      driverName: "nic.example.com",
      cdiDir: "/etc/cdi",
      nriDir: "/run/k3s/nri",
      netnsDir: "/run/netns",
      privileged: true,
      extraArgs: ["--claim-may-set=ethtool.rings"],
      args: { dbPath: "" },
      admission: { ownSlices: false },
      deviceClass: { create: false },
    });
    const { spec } = one(objects, "DaemonSet")["spec"].template;
    const [container] = spec.containers;
    expect(configOf(one(objects, "DaemonSet")).config).toMatchObject({
      driverName: "nic.example.com",
      cdiDir: "/etc/cdi",
      nriSocket: "/run/k3s/nri/nri.sock",
      netnsDir: "/run/netns",
      dbPath: "",
      claimMaySet: ["ethtool.rings"],
    });
    const mounted = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
    for (const path of ["/etc/cdi", "/run/k3s/nri", "/run/netns"]) expect(mounted).toContain(path);
    expect(mounted).not.toContain("/var/lib/netferry");
    expect(container.securityContext).toEqual({ privileged: true });
    expect(one(objects, "ClusterRole")["rules"].find((rule: object) => "resourceNames" in rule).resourceNames).toEqual([
      "nic.example.com",
    ]);
    expect(objects.map(({ kind }) => kind).toSorted()).toEqual([
      "ClusterRole",
      "ClusterRoleBinding",
      "DaemonSet",
      "ServiceAccount",
    ]);
  });
});

describe("DRANET's values", () => {
  test("mean the same here, each of them", async () => {
    const objects = await render({}, [DRANET_VALUES]);
    const daemonSet = one(objects, "DaemonSet");
    const { metadata, spec } = daemonSet["spec"].template;
    const [container] = spec.containers;
    expect(daemonSet.metadata.name).toBe("node-nics");
    expect(container.image).toBe("example/netferry:v9");
    expect(container.imagePullPolicy).toBe("Always");
    expect(spec.imagePullSecrets).toEqual([{ name: "pull" }]);
    expect(metadata.annotations["example.com/note"]).toBe("hello");
    expect(metadata.labels).toMatchObject({ team: "network", "app.kubernetes.io/name": "nics" });
    expect(configOf(daemonSet).config).toMatchObject({
      verbosity: 2,
      bindAddress: ":9200",
      filter: 'attributes["dra.net/ifName"].StringValue.startsWith("eth")',
      dbPath: "/var/run/dranet/dranet.db",
      inventoryMinPollIntervalMs: 500,
      inventoryMaxPollIntervalMs: 30_000,
      inventoryPollBurst: 7,
      moveIbInterfaces: false,
      kubeletRootDir: "/data/kubelet",
    });
    for (const argument of [
      "--cloud-provider-hint=NONE",
      "--cloud-provider-options=oke.rdma-child-ipv4-cidr=10.192.0.0/14",
      "--profile-provider=none",
      "--webhook-url=http://127.0.0.1:8080",
      "--slaac-ready-timeout=1200ms",
      "--slaac-rollback-reserve=400ms",
      "--feature-gates=PersistentResourceSliceAttributes=true",
    ])
      expect(container.args).toContain(argument);
    expect(container.ports).toEqual([{ name: "metrics", containerPort: 9200 }]);
    for (const probe of ["startupProbe", "readinessProbe"])
      expect(container[probe].httpGet).toEqual({ path: "/healthz", port: "metrics" });
    for (const mountPath of [
      "/data/kubelet/plugins",
      "/data/kubelet/plugins_registry",
      "/var/run/dranet",
      "/etc/host-config",
    ]) {
      const mount = container.volumeMounts.find((one: { mountPath: string }) => one.mountPath === mountPath);
      const volume = spec.volumes.find((one: { name: string }) => one.name === mount?.name);
      expect(volume?.hostPath.path).toBe(mountPath);
    }
    expect(spec.nodeSelector).toEqual({ "kubernetes.io/os": "linux", pool: "gpu" });
    expect(spec.affinity.nodeAffinity).toBeDefined();
    expect(spec.tolerations).toEqual([{ key: "gpu", operator: "Exists" }]);
    expect(container.resources).toEqual({
      requests: { cpu: "200m", memory: "99Mi" },
      limits: { memory: "300Mi" },
    });
    const account = one(objects, "ServiceAccount");
    expect(account.metadata).toMatchObject({ name: "node-nics", annotations: { "example.com/role": "nic" } });
    const monitor = one(objects, "PodMonitor");
    expect(monitor.metadata).toMatchObject({ labels: { release: "prom" } });
    expect(monitor["spec"].podMetricsEndpoints).toEqual([{ port: "metrics", path: "/metrics", interval: "1m" }]);
    expect(metadata.labels).toMatchObject(monitor["spec"].selector.matchLabels);
  });

  test("as its chart ships them, with another image alone, ask for nothing that is not done", async () => {
    const shipped = {
      nameOverride: "",
      fullnameOverride: "",
      image: { repository: "netferry", tag: "", pullPolicy: "IfNotPresent" },
      imagePullSecrets: [],
      rbac: { create: true },
      podAnnotations: {},
      podLabels: {},
      logVerbosity: 4,
      metricsPort: null,
      metricsPath: "/healthz",
      prometheus: { monitor: { enabled: false, labels: {}, interval: "30s" } },
      args: {},
      kubeletRootDir: "/var/lib/kubelet",
      extraVolumes: [],
      extraVolumeMounts: [],
      nodeSelector: {},
      affinity: {},
      tolerations: [{ operator: "Exists", effect: "NoSchedule" }],
      resources: { requests: { cpu: "100m", memory: "50Mi" }, limits: {} },
      serviceAccount: { annotations: {} },
    };
    const { config, warnings } = configOf(one(await render(shipped), "DaemonSet"));
    expect(warnings).toEqual([]);
    expect(config.verbosity).toBe(4);
  });

  test("rbac.create false leaves roles to somebody else", async () => {
    const kinds = (await render({ rbac: { create: false } })).map(({ kind }) => kind);
    expect(kinds).not.toContain("ClusterRole");
    expect(kinds).not.toContain("ClusterRoleBinding");
    expect(kinds).toContain("ServiceAccount");
  });
});

test(
  "in a cluster its agent becomes ready and serves a claim, and the API server takes the examples",
  async () => {
    await using stack = new AsyncDisposableStack();
    const lab = stack.use(await NetferryLab.start({ install: false }));
    const dir = mkdtempSync(join(tmpdir(), "netferry-chart-"));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    const manifest = join(dir, "rendered.yaml");
    const namespace = one(readManifest(), "Namespace");
    writeFileSync(manifest, toYaml([namespace, ...(await render({ image: { tag: "latest" } }))]));
    await lab.install({ manifest });
    const link = await lab.macvlan();
    const name = uniqueName("chart");
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
      pod(name, { claims: { net: name } }),
    );
    await lab.workload.podReady(name);
    expect(await lab.workload.exec(name, ["ip", "addr", "show", "net1"])).toContain(link.address);
    await lab.workload.deletePods(name);
    await isHome(link);
    for (const example of readdirSync(EXAMPLES).filter((file) => file.endsWith(".yaml")))
      await lab.cluster.kubectl(["apply", "--dry-run=server", "-f", join(EXAMPLES, example)]);
  },
  START_LIMIT_MS,
);
