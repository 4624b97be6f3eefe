/** The configuration files of kubelet, containerd, CNI and their clients, as text. Pure. */
import { stringify } from "yaml";
import { PAUSE_IMAGE } from "../runtime/images.ts";
import type { KeyPair } from "./certificates.ts";
import type { ClusterNetwork } from "./network.ts";

/** As the node sees them. */
export const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";
export const NRI_SOCKET = "/var/run/nri/nri.sock";
export const CDI_DIR = "/var/run/cdi";
export const KUBELET_ROOT = "/var/lib/kubelet";
export const NETNS_DIR = "/var/run/netns";

/** The annotation of pods that start without the required NRI plugins, such as the plugins themselves. */
export const TOLERATE_MISSING_PLUGINS = "tolerate-missing-plugins.noderesource.dev";

export type FeatureGates = Readonly<Record<string, boolean>>;

export interface KubeletSettings {
  readonly network: ClusterNetwork;
  readonly cgroup: string;
  readonly authority: string;
  readonly serving: KeyPair;
  readonly resolvConf: string;
  readonly featureGates: FeatureGates;
}

export function kubeletConfig(settings: KubeletSettings): string {
  const { network, serving } = settings;
  return stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: network.node,
    healthzBindAddress: network.node,
    readOnlyPort: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: settings.authority },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: serving.cert,
    tlsPrivateKeyFile: serving.key,
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: settings.cgroup,
    failCgroupV1: false, // from 1.35 on a kubelet does not start on cgroup v1 by itself
    failSwapOn: false,
    maxPods: 250,
    oomScoreAdj: 0, // a lower one needs CAP_SYS_RESOURCE
    makeIPTablesUtilChains: false, // they would stay behind
    volumePluginDir: `${KUBELET_ROOT}/volume-plugins`,
    clusterDomain: "cluster.local",
    clusterDNS: [network.node], // nobody listens there; without one, each pod gets a warning as an event
    resolvConf: settings.resolvConf,
    // The images came from no registry: one that is collected cannot be had again. Nor is the disk only ours to fill.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: {
      "memory.available": "50Mi",
      "nodefs.available": "1%",
      "nodefs.inodesFree": "1%",
      "imagefs.available": "1%",
      "imagefs.inodesFree": "1%",
    },
    featureGates: settings.featureGates,
  });
}

export interface ContainerdSettings {
  readonly shim: string;
  readonly ociRuntime: string;
  readonly cniPlugins: string;
  readonly cniConfig: string;
  /** NRI plugins without which no container may start; for none, the validator stays off. */
  readonly requiredNriPlugins: readonly string[];
}

export function containerdConfig(settings: ContainerdSettings): string {
  const text = (value: string) => `'${value}'`;
  const required = settings.requiredNriPlugins;
  return `version = 3
root = '/var/lib/containerd'
state = '/run/containerd'
oom_score = 0
disabled_plugins = [
  'io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper', 'io.containerd.snapshotter.v1.zfs',
  'io.containerd.tracing.processor.v1.otlp', 'io.containerd.internal.v1.tracing',
]
[grpc]
  address = ${text(CONTAINERD_SOCKET)}
[plugins.'io.containerd.internal.v1.opt']
  path = '/var/lib/containerd/opt'
[plugins.'io.containerd.nri.v1.nri']
  disable = false
  socket_path = ${text(NRI_SOCKET)}
  plugin_path = '/var/lib/containerd/nri/plugins'
  plugin_config_path = '/var/lib/containerd/nri/conf.d'
  [plugins.'io.containerd.nri.v1.nri'.default_validator]
    enable = ${required.length > 0}
    required_plugins = [${required.map(text).join(", ")}]
    tolerate_missing_plugins_annotation = ${text(TOLERATE_MISSING_PLUGINS)}
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = ${text(PAUSE_IMAGE)}
[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE the pause process cannot get its score, and no pod starts.
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  disable_hugetlb_controller = true
  cdi_spec_dirs = ['/etc/cdi', ${text(CDI_DIR)}]
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = [${text(settings.cniPlugins)}]
    conf_dir = ${text(settings.cniConfig)}
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = 'runc'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      runtime_path = ${text(settings.shim)}
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = ${text(settings.ociRuntime)}
        SystemdCgroup = false
`;
}

/** Each pod gets a veth pair to the host, which routes between them. */
export function cniConfig(podSubnet: string): string {
  const ipam = {
    type: "host-local",
    dataDir: "/run/cni/ipam",
    ranges: [[{ subnet: podSubnet }]],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  return JSON.stringify({ cniVersion: "1.0.0", name: "lab", plugins: [{ type: "ptp", ipMasq: false, ipam }] });
}

export interface ClientSettings {
  readonly server: string;
  readonly authority: string;
  readonly client: KeyPair;
}

/** Names its files by path: they stay readable while the cluster is up. */
export function kubeconfig(settings: ClientSettings): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "lab", cluster: { server: settings.server, "certificate-authority": settings.authority } }],
    users: [{ name: "lab", user: { "client-certificate": settings.client.cert, "client-key": settings.client.key } }],
    contexts: [{ name: "lab", context: { cluster: "lab", user: "lab" } }],
    "current-context": "lab",
  });
}
