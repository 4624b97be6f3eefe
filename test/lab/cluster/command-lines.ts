/** How each program of the cluster is called. Pure. */
import { join } from "node:path";
import type { Binaries } from "./binaries.ts";
import { keyPair } from "./certificates.ts";
import type { FeatureGates } from "./config-files.ts";
import { layout } from "./layout.ts";
import type { ClusterNetwork } from "./network.ts";

/** In the order in which they start. */
export const PART_NAMES = ["etcd", "containerd", "apiserver", "controllers", "scheduler", "kubelet"] as const;
export type PartName = (typeof PART_NAMES)[number];

export interface CommandLineSettings {
  readonly dir: string;
  readonly nodeName: string;
  readonly binaries: Pick<Binaries, "kubernetes" | "containerd" | "etcd">;
  readonly network: ClusterNetwork;
  readonly featureGates: FeatureGates;
  /** Versions of API groups that are off by default: `resource.k8s.io/v1alpha3`. */
  readonly apis: readonly string[];
}

export function commandLines(settings: CommandLineSettings): Readonly<Record<PartName, readonly string[]>> {
  const { binaries, network } = settings;
  const { etc, pki, etcd } = layout(settings.dir);
  const authority = keyPair(pki, "ca");
  const accounts = keyPair(pki, "service-accounts");
  const etcdPair = keyPair(pki, "etcd");
  const apiServer = keyPair(pki, "apiserver");
  const admin = keyPair(pki, "admin");
  const gates = Object.entries(settings.featureGates).map(([gate, on]) => `${gate}=${on}`);
  const featureGates = gates.length === 0 ? [] : [`--feature-gates=${gates.join(",")}`];
  const runtimeConfig = settings.apis.map((api) => `${api}=true`);
  const etcdUrl = `https://${network.node}:2379`;
  const peerUrl = `https://${network.node}:2380`;
  const leader = (name: string, port: number) => [
    `--kubeconfig=${join(etc, `${name}.kubeconfig`)}`,
    `--authentication-kubeconfig=${join(etc, `${name}.kubeconfig`)}`,
    `--authorization-kubeconfig=${join(etc, `${name}.kubeconfig`)}`,
    "--authentication-tolerate-lookup-failure=true",
    `--bind-address=${network.node}`,
    `--secure-port=${port}`,
    `--client-ca-file=${authority.cert}`,
    `--cert-dir=/run/kubernetes/${name}`,
    "--leader-elect=false",
    ...featureGates,
  ];
  return {
    etcd: [
      binaries.etcd,
      `--data-dir=${etcd}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
      `--cert-file=${etcdPair.cert}`,
      `--key-file=${etcdPair.key}`,
      `--trusted-ca-file=${authority.cert}`,
      "--client-cert-auth=true",
      `--peer-cert-file=${etcdPair.cert}`,
      `--peer-key-file=${etcdPair.key}`,
      `--peer-trusted-ca-file=${authority.cert}`,
      "--peer-client-cert-auth=true",
      "--unsafe-no-fsync=true", // the cluster outlives its programs, never the machine
    ],
    containerd: [join(binaries.containerd, "containerd"), "--config", join(etc, "containerd.toml")],
    apiserver: [
      join(binaries.kubernetes, "kube-apiserver"),
      `--bind-address=${network.apiServer}`,
      `--advertise-address=${network.apiServer}`,
      "--secure-port=443",
      `--service-cluster-ip-range=${network.serviceSubnet}`,
      `--etcd-servers=${etcdUrl}`,
      `--etcd-cafile=${authority.cert}`,
      `--etcd-certfile=${etcdPair.cert}`,
      `--etcd-keyfile=${etcdPair.key}`,
      `--tls-cert-file=${apiServer.cert}`,
      `--tls-private-key-file=${apiServer.key}`,
      `--client-ca-file=${authority.cert}`,
      `--kubelet-certificate-authority=${authority.cert}`,
      `--kubelet-client-certificate=${admin.cert}`,
      `--kubelet-client-key=${admin.key}`,
      "--kubelet-preferred-address-types=InternalIP",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${accounts.cert}`,
      `--service-account-signing-key-file=${accounts.key}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction", // beside the default ones
      "--allow-privileged=true",
      "--cert-dir=/run/kubernetes/apiserver",
      "--shutdown-watch-termination-grace-period=2s", // without it the end waits a minute for open watches
      ...(runtimeConfig.length === 0 ? [] : [`--runtime-config=${runtimeConfig.join(",")}`]),
      ...featureGates,
    ],
    controllers: [
      join(binaries.kubernetes, "kube-controller-manager"),
      ...leader("controllers", 10257),
      `--root-ca-file=${authority.cert}`,
      `--service-account-private-key-file=${accounts.key}`,
      "--use-service-account-credentials=true",
    ],
    scheduler: [join(binaries.kubernetes, "kube-scheduler"), ...leader("scheduler", 10259)],
    kubelet: [
      join(binaries.kubernetes, "kubelet"),
      `--config=${join(etc, "kubelet.yaml")}`,
      `--kubeconfig=${join(etc, "kubelet.kubeconfig")}`,
      `--hostname-override=${settings.nodeName}`,
      `--node-ip=${network.node}`,
      "--v=2",
    ],
  };
}
