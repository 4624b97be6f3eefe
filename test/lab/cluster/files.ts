/** Writes all that the programs of a cluster read before they start. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Binaries } from "./binaries.ts";
import { type CertificateRequest, keyPair, makeCertificates } from "./certificates.ts";
import { cniConfig, containerdConfig, type FeatureGates, kubeconfig, kubeletConfig } from "./config-files.ts";
import { layout, NODE_LIB } from "./layout.ts";
import type { ClusterNetwork } from "./network.ts";

export interface ClusterFiles {
  readonly dir: string;
  readonly nodeName: string;
  readonly binaries: Binaries;
  readonly network: ClusterNetwork;
  readonly cgroup: string;
  readonly featureGates: FeatureGates;
  readonly requiredNriPlugins: readonly string[];
}

export async function writeClusterFiles(cluster: ClusterFiles): Promise<void> {
  const { binaries, network } = cluster;
  const paths = layout(cluster.dir);
  const { node } = paths;
  const nodeFolders = [...NODE_LIB.map((name) => join(node.lib, name)), node.run, node.log];
  const overlay = ["upper", "work"].map((name) => join(node.overlay, name));
  for (const folder of [...nodeFolders, ...overlay, paths.etc, paths.cni, paths.log, paths.home]) {
    mkdirSync(folder, { recursive: true });
  }
  mkdirSync(paths.etcd, { recursive: true, mode: 0o700 }); // etcd warns of any other
  await makeCertificates(paths.pki, certificates(cluster.nodeName, network));
  const authority = keyPair(paths.pki, "ca").cert;
  const server = `https://${network.apiServer}`;
  const client = (name: string) => kubeconfig({ server, authority, client: keyPair(paths.pki, name) });
  for (const name of ["controllers", "scheduler", "kubelet"]) {
    writeFileSync(join(paths.etc, `${name}.kubeconfig`), client(name), { mode: 0o600 });
  }
  writeFileSync(paths.kubeconfig, client("admin"), { mode: 0o600 });
  const resolvConf = join(paths.etc, "resolv.conf");
  writeFileSync(resolvConf, "# There is no name service in this cluster.\n");
  const kubelet = kubeletConfig({
    network,
    cgroup: cluster.cgroup,
    authority,
    serving: keyPair(paths.pki, "kubelet"),
    resolvConf,
    featureGates: cluster.featureGates,
  });
  writeFileSync(join(paths.etc, "kubelet.yaml"), kubelet);
  const containerd = containerdConfig({
    shim: join(binaries.containerd, "containerd-shim-runc-v2"),
    ociRuntime: binaries.oci,
    cniPlugins: binaries.cni,
    cniConfig: paths.cni,
    requiredNriPlugins: cluster.requiredNriPlugins,
  });
  writeFileSync(join(paths.etc, "containerd.toml"), containerd);
  writeFileSync(join(paths.cni, "10-lab.conflist"), cniConfig(network.podSubnet));
}

function certificates(nodeName: string, network: ClusterNetwork): CertificateRequest[] {
  const services = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
  return [
    {
      name: "apiserver",
      commonName: "kube-apiserver",
      names: [...services.map((name) => `DNS:${name}`), `IP:${network.apiServer}`, "IP:127.0.0.1"],
    },
    { name: "etcd", commonName: "etcd", names: [`IP:${network.node}`] },
    { name: "admin", commonName: "admin", organization: "system:masters" },
    { name: "controllers", commonName: "system:kube-controller-manager" },
    { name: "scheduler", commonName: "system:kube-scheduler" },
    {
      name: "kubelet",
      commonName: `system:node:${nodeName}`,
      organization: "system:nodes",
      names: [`DNS:${nodeName}`, `IP:${network.node}`],
    },
  ];
}
