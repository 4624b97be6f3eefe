/** containerd's configuration for the lab: everything under one folder, as far as containerd lets us. */
import { join } from "node:path";

export interface ContainerdConfig {
  /** 3 is containerd 2.x, 2 is containerd 1.7. */
  readonly version: 2 | 3;
  readonly dir: string;
  readonly shim: string;
  readonly ociRuntime: string;
  readonly cniPlugins: string;
  readonly pauseImage: string;
  readonly requestTimeoutMs: number;
  readonly cdi: boolean;
}

/** Where things are below `dir`. */
export function labPaths(dir: string) {
  return {
    config: join(dir, "config.toml"),
    log: join(dir, "containerd.log"),
    root: join(dir, "root"),
    state: join(dir, "state"),
    criSocket: join(dir, "containerd.sock"),
    nriSocket: join(dir, "nri.sock"),
    nriPlugins: join(dir, "nri/plugins"),
    nriConfig: join(dir, "nri/conf.d"),
    cdi: join(dir, "cdi"),
    cni: join(dir, "cni"),
    ipam: join(dir, "ipam"),
    opt: join(dir, "opt"),
    oci: join(dir, "oci"),
    logs: join(dir, "logs"),
    netns: join(dir, "state/io.containerd.grpc.v1.cri/netns"),
  } as const;
}

export function containerdToml(config: ContainerdConfig): string {
  const paths = labPaths(config.dir);
  const text = (value: string) => `'${value}'`;
  const common = `version = ${config.version}
root = ${text(paths.root)}
state = ${text(paths.state)}
oom_score = 0
disabled_plugins = [
  'io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper', 'io.containerd.snapshotter.v1.zfs',
  'io.containerd.tracing.processor.v1.otlp', 'io.containerd.internal.v1.tracing',
]
[grpc]
  address = ${text(paths.criSocket)}
[ttrpc]
  address = ${text(`${paths.criSocket}.ttrpc`)}
[plugins.'io.containerd.internal.v1.opt']
  path = ${text(paths.opt)}
[plugins.'io.containerd.nri.v1.nri']
  disable = false
  socket_path = ${text(paths.nriSocket)}
  plugin_path = ${text(paths.nriPlugins)}
  plugin_config_path = ${text(paths.nriConfig)}
  plugin_registration_timeout = '5s'
  plugin_request_timeout = '${config.requestTimeoutMs}ms'
`;
  // restrict_oom_score_adj: without CAP_SYS_RESOURCE the pause process cannot get its score, and no pod starts.
  const cri = `  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  disable_hugetlb_controller = true
  netns_mounts_under_state_dir = true
  enable_unprivileged_ports = false
  enable_unprivileged_icmp = false
  enable_cdi = ${config.cdi}
  cdi_spec_dirs = [${text(paths.cdi)}]
`;
  const runtime = (plugin: string) => `    default_runtime_name = 'runc'
    [${plugin}.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      runtime_path = ${text(config.shim)}
      [${plugin}.containerd.runtimes.runc.options]
        BinaryName = ${text(config.ociRuntime)}
        Root = ${text(paths.oci)}
        SystemdCgroup = false
`;
  if (config.version === 3) {
    const plugin = "plugins.'io.containerd.cri.v1.runtime'";
    return `${common}[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = ${text(config.pauseImage)}
[plugins.'io.containerd.grpc.v1.cri']
  disable_tcp_service = true
[${plugin}]
${cri}  [${plugin}.cni]
    bin_dirs = [${text(config.cniPlugins)}]
    conf_dir = ${text(paths.cni)}
  [${plugin}.containerd]
${runtime(plugin)}`;
  }
  const plugin = "plugins.'io.containerd.grpc.v1.cri'";
  return `${common}[${plugin}]
  sandbox_image = ${text(config.pauseImage)}
  disable_tcp_service = true
${cri}  [${plugin}.cni]
    bin_dir = ${text(config.cniPlugins)}
    conf_dir = ${text(paths.cni)}
  [${plugin}.containerd]
    snapshotter = 'overlayfs'
${runtime(plugin)}`;
}

/** Pods get a veth pair each, to the host; `subnet` like `10.128.3.0/24`. */
export function cniConfig(dir: string, subnet: string): string {
  const ipam = {
    type: "host-local",
    dataDir: labPaths(dir).ipam,
    ranges: [[{ subnet }]],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  const plugins = [{ type: "ptp", ipMasq: false, ipam }];
  return JSON.stringify({ cniVersion: "1.0.0", name: "netferry-lab", plugins }, null, 2);
}
