/**
 * Every flag of netferry. The first group is DRANET's (cmd/dranet/app.go), same names, defaults and meaning, except where
 * the state is kept.
 */

import { hostname } from "node:os";
import { parseClaimMaySet } from "./authority.ts";
import { DEFAULT_FILTER } from "./default-filter.ts";
import { parseFeatureGates } from "./feature-gates.ts";
import {
  booleanFlag,
  type Flag,
  flag,
  parseDriverName,
  parseDurationMs,
  parseHandlers,
  parseInteger,
  parseListenAddress,
  parseMetricsPrefix,
  parseMover,
  parsePath,
  parsePositiveDurationMs,
  parseText,
} from "./flag.ts";
import { parseCloudHint, parseProfileProvider, parseProviderOptions, parseWebhookUrl } from "./providers.ts";

export const FLAGS = {
  kubeconfig: flag(
    "kubeconfig",
    "FILE",
    "",
    "kubeconfig of the API server; empty: the pod's service account",
    parseText,
  ),
  bindAddress: flag(
    "bind-address",
    "HOST:PORT",
    ":9177",
    "where /healthz, /readyz and /metrics are served",
    parseListenAddress,
  ),
  nodeName: flag(
    "hostname-override",
    "NAME",
    "",
    "name of the Node object; empty: the host's name in lower case",
    (text) => text || hostname().toLowerCase(),
  ),
  filter: flag(
    "filter",
    "CEL",
    DEFAULT_FILTER,
    "offer only devices for which this is true; the variable `attributes` maps full attribute names to StringValue, IntValue, BoolValue, VersionValue; empty: all",
    parseText,
  ),
  dbPath: flag(
    "db-path",
    "FILE",
    "/var/lib/netferry/netferry.db",
    "where claims and the devices' home state are kept; empty: in memory only; not given, in a pod that mounts /var/run/dranet in its place: netferry.db there",
    parseText,
  ),
  inventoryMinPollIntervalMs: flag(
    "inventory-min-poll-interval",
    "DURATION",
    "2s",
    "least time between two scans of the host",
    parsePositiveDurationMs,
  ),
  inventoryMaxPollIntervalMs: flag(
    "inventory-max-poll-interval",
    "DURATION",
    "1m",
    "time after which the host is scanned without an event",
    parsePositiveDurationMs,
  ),
  inventoryPollBurst: flag(
    "inventory-poll-burst",
    "N",
    "5",
    "scans that may follow each other without that least time",
    parseInteger(1, 1000),
  ),
  kubeletRootDir: flag(
    "kubelet-root-dir",
    "DIR",
    "/var/lib/kubelet",
    "the kubelet's root directory, with plugins/ and plugins_registry/",
    parsePath,
  ),
  moveIbInterfaces: booleanFlag("move-ib-interfaces", true, "offer IPoIB links as network devices"),
  strictClaims: booleanFlag(
    "strict-claims",
    false,
    "leave interface.hardwareAddr and interface.disableEbpfPrograms to DeviceClasses: a claim that sets them is refused",
  ),
  featureGates: flag(
    "feature-gates",
    "LIST",
    "",
    "GATE=true,…; DRAListTypeAttributes: publish resource.kubernetes.io/numaNode as a list, where the API server has that gate on; PersistentResourceSliceAttributes: what netferry always does",
    parseFeatureGates,
  ),
  cloudProviderHint: flag(
    "cloud-provider-hint",
    "CLOUD",
    "",
    "AWS, GCE, AZURE, OKE, ALIBABA, CKS, webhook or NONE: whose attributes and configuration devices have; empty: the cloud whose metadata service answers, and none with --standalone",
    parseCloudHint,
  ),
  cloudProviderOptions: flag(
    "cloud-provider-options",
    "PROVIDER.OPTION=VALUE",
    "",
    "an option of a cloud or of the webhook; may be repeated",
    (_, texts) => parseProviderOptions(texts),
  ),
  profileProvider: flag(
    "profile-provider",
    "PROVIDER",
    "cloud",
    "cloud, webhook or none: who resolves the profile that a configuration names; cloud: the cloud provider, where it can",
    parseProfileProvider,
  ),
  webhookUrl: flag(
    "webhook-url",
    "URL",
    "",
    "http://, https:// or unix:///path: where the webhook is",
    parseWebhookUrl,
  ),
  verbosity: flag(
    "v",
    "LEVEL",
    "0",
    "log verbosity: 0 to 3 state changes, 4 and above each message",
    parseInteger(0, 10),
  ),

  dhcpTimeoutMs: flag(
    "dhcp-timeout",
    "DURATION",
    "5s",
    "how long a DHCP server is waited for when a claim is prepared",
    parsePositiveDurationMs,
  ),
  slaacReadyTimeoutMs: flag(
    "slaac-ready-timeout",
    "DURATION",
    "1.5s",
    "how long a pod waits for an address by router advertisement before it goes on without one",
    parsePositiveDurationMs,
  ),
  slaacRollbackReserveMs: flag(
    "slaac-rollback-reserve",
    "DURATION",
    "500ms",
    "accepted for DRANET's sake: hooks answer within three quarters of the runtime's timeout, and roll nothing back",
    parseDurationMs,
  ),

  driverName: flag(
    "driver-name",
    "NAME",
    "dra.net",
    "name of the DRA driver and of the NRI plugin, and domain of the attributes",
    parseDriverName,
  ),
  nriSocket: flag("nri-socket", "SOCKET", "/var/run/nri/nri.sock", "the container runtime's NRI socket", parsePath),
  cdiDir: flag(
    "cdi-dir",
    "DIR",
    "/var/run/cdi",
    "where receipts are written: a CDI directory that the runtime reads",
    parsePath,
  ),
  netnsDir: flag("netns-dir", "DIR", "/var/run/netns", "where the runtime keeps its namespace files", parsePath),
  sysfsRoot: flag("sysfs-root", "DIR", "/sys", "where sysfs is mounted", parsePath),
  procRoot: flag("proc-root", "DIR", "/proc", "where procfs is mounted", parsePath),
  attach: flag(
    "attach",
    "MOVER",
    "netlink",
    "who moves a claimed link into its pod: netlink, netferry does with all that a configuration can ask for; oci, the OCI runtime does by linux.netDevices with the pod's first container, by a name alone (containerd 2.2.1 or CRI-O 1.35, with runc 1.4 or crun 1.22)",
    parseMover,
  ),
  runtimeHandlers: flag(
    "runtime-handlers",
    "LIST",
    '"",runc,crun,youki',
    "runtime handlers whose pods may claim; others look at the network before the hook",
    parseHandlers,
  ),
  metricsPrefix: flag(
    "metrics-prefix",
    "TEXT",
    "dranet_driver_",
    "begin of the names of all metrics",
    parseMetricsPrefix,
  ),
  claimMaySet: flag(
    "claim-may-set",
    "LIST",
    "",
    "fields that claims may set although they are a DeviceClass's: paths as ethtool.rings, between commas",
    parseClaimMaySet,
  ),
  shareable: flag(
    "shareable",
    "CEL",
    "",
    "let several claims have the devices for which this is true, each a link on it (interface.type); the variable is that of --filter; empty: none",
    parseText,
  ),
  maxShares: flag(
    "max-shares",
    "N",
    "64",
    "how many claims may have a device that is shareable",
    parseInteger(1, 65_535),
  ),
  nodeConfig: flag(
    "node-config",
    "FILE",
    "",
    "YAML file of what to do to the node itself: sriov: [{pf: NAME or PCI address, numVFs: N}] makes VFs",
    parseText,
  ),
  offerVfio: booleanFlag(
    "offer-vfio",
    false,
    "offer the network functions too that the administrator bound to vfio-pci: pods get them as VFIO devices",
  ),
  standalone: booleanFlag("standalone", false, "work without an API server and a kubelet, on claims from --claims"),
  claimsDir: flag(
    "claims",
    "DIR",
    "",
    "with --standalone: directory of ResourceClaim and DeviceClass YAML files",
    parseText,
  ),
} as const satisfies Readonly<Record<string, Flag<unknown>>>;

/** A flag that is accepted, so that DRANET's arguments work unchanged, and that changes nothing. */
export interface IgnoredFlag {
  readonly name: string;
  readonly isBoolean: boolean;
  /** Values with which the flag asks for nothing. Absent: no value deserves a warning. */
  readonly harmless?: readonly string[];
}

export const KLOG_FLAGS: readonly IgnoredFlag[] = [
  ...[
    "add_dir_header",
    "alsologtostderr",
    "legacy_stderr_threshold_behavior",
    "logtostderr",
    "one_output",
    "skip_headers",
    "skip_log_headers",
  ].map((name) => ({ name, isBoolean: true })),
  ...["log_backtrace_at", "log_dir", "log_file", "log_file_max_size", "stderrthreshold", "vmodule"].map((name) => ({
    name,
    isBoolean: false,
  })),
];

/** DRANET's flags for what this version does not have. The values that ask for nothing are DRANET's own defaults. */
export const UNSERVED_FLAGS: readonly IgnoredFlag[] = [
  { name: "device-attach-timeout", isBoolean: false, harmless: ["30s"] },
  { name: "hook-path", isBoolean: false },
];
