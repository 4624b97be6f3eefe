import { describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import { ConfigError } from "../lib/errors.ts";
import { DEFAULT_FILTER } from "./default-filter.ts";
import { FLAGS } from "./flag-table.ts";
import { type Config, parseCommandLine } from "./flags.ts";

function run(...argv: string[]): { config: Config; warnings: readonly string[] } {
  const line = parseCommandLine(argv);
  if (line.command !== "run") throw new Error(`unexpected command ${line.command}`);
  return line;
}

function problem(...argv: string[]): string {
  try {
    parseCommandLine(argv);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { message } = error as ConfigError;
    expect(message).not.toContain("\n");
    return message;
  }
  throw new Error(`accepted: ${argv.join(" ")}`);
}

describe("parseCommandLine() without a command", () => {
  test("runs with DRANET's defaults, except for the place of the database", () => {
    const { config, warnings } = run();
    expect(config).toEqual({
      kubeconfig: "",
      bindAddress: ":9177",
      nodeName: hostname().toLowerCase(),
      filter: DEFAULT_FILTER,
      dbPath: "/var/lib/netferry/netferry.db",
      inventoryMinPollIntervalMs: 2000,
      inventoryMaxPollIntervalMs: 60_000,
      inventoryPollBurst: 5,
      kubeletRootDir: "/var/lib/kubelet",
      moveIbInterfaces: true,
      strictClaims: false,
      featureGates: { DRAListTypeAttributes: false, PersistentResourceSliceAttributes: false },
      cloudProviderHint: "",
      cloudProviderOptions: {},
      profileProvider: "cloud",
      webhookUrl: "",
      verbosity: 0,
      dhcpTimeoutMs: 5000,
      slaacReadyTimeoutMs: 1500,
      slaacRollbackReserveMs: 500,
      driverName: "dra.net",
      nriSocket: "/var/run/nri/nri.sock",
      cdiDir: "/var/run/cdi",
      netnsDir: "/var/run/netns",
      sysfsRoot: "/sys",
      procRoot: "/proc",
      attach: "netlink",
      runtimeHandlers: ["", "runc", "crun", "youki"],
      metricsPrefix: "dranet_driver_",
      claimMaySet: [],
      shareable: "",
      maxShares: 64,
      standalone: false,
      nodeConfig: "",
      offerVfio: false,
      claimsDir: "",
    });
    expect(warnings).toEqual([]);
    expect(Object.isFrozen(config)).toBe(true);
  });

  test("takes the arguments of DRANET's DaemonSet, with a warning only for what it asks and does not get", () => {
    const { config, warnings } = run(
      "/dranet",
      "--v=4",
      "--hostname-override=Node-1",
      "-logtostderr=true",
      "--vmodule=x=2",
      "--inventory-min-poll-interval=500ms",
      "--inventory-max-poll-interval=1m30s",
      "--move-ib-interfaces=false",
      "--cloud-provider-hint=GCE",
      "--cloud-provider-options=oke.rdma-child-ipv4-cidr=10.192.0.0/14",
      "--profile-provider=cloud",
      "--webhook-url=",
      "--feature-gates=DRAListTypeAttributes=true",
      "--slaac-ready-timeout=2s",
      "--slaac-rollback-reserve=400ms",
      "--device-attach-timeout=30s",
      "--hook-path=/opt/dranet/bin/dranet-hook",
    );
    expect(config).toMatchObject({
      slaacReadyTimeoutMs: 2000,
      slaacRollbackReserveMs: 400,
      verbosity: 4,
      nodeName: "Node-1",
      inventoryMinPollIntervalMs: 500,
      inventoryMaxPollIntervalMs: 90_000,
      moveIbInterfaces: false,
      featureGates: { DRAListTypeAttributes: true },
    });
    expect(config).toMatchObject({ cloudProviderHint: "GCE", profileProvider: "cloud", webhookUrl: "" });
    expect(warnings.map((warning) => warning.split(" ", 1)[0])).toEqual([
      "--cloud-provider-options=oke.rdma-child-ipv4-cidr",
    ]);
  });

  test("reads each of Go's four ways to write a flag, the last one counting", () => {
    expect(run("-cdi-dir", "/a").config.cdiDir).toBe("/a");
    expect(run("--cdi-dir", "/a", "-cdi-dir=/b").config.cdiDir).toBe("/b");
    expect(run("--filter=a == 'b=c'").config.filter).toBe("a == 'b=c'");
    expect(run("--filter", "").config.filter).toBe("");
    expect(run("--move-ib-interfaces").config.moveIbInterfaces).toBe(true);
    expect(run("--move-ib-interfaces=F").config.moveIbInterfaces).toBe(false);
    expect(run('--runtime-handlers="",kata').config.runtimeHandlers).toEqual(["", "kata"]);
  });

  test("collects the options of providers, and knows each hint in whatever case", () => {
    const options = [
      "--cloud-provider-options=gce.endpoint=http://a",
      "--cloud-provider-options=webhook.ca-file=/c,d=e",
    ];
    const { config } = run("--cloud-provider-hint", "", "--webhook-url", "unix:///run/w.sock", ...options);
    expect(config.cloudProviderOptions).toEqual({ gce: { endpoint: "http://a" }, webhook: { "ca-file": "/c,d=e" } });
    expect(config.webhookUrl).toBe("unix:///run/w.sock");
    expect(run("--cloud-provider-hint=none").config.cloudProviderHint).toBe("NONE");
    expect(run("--cloud-provider-hint=Azure").config.cloudProviderHint).toBe("AZURE");
  });
});

describe("parseCommandLine() names the flag and what is wrong when", () => {
  const cases: [string[], string][] = [
    [
      ["--inventory-pol-burst=3"],
      "--inventory-pol-burst: is not a flag of netferry (did you mean --inventory-poll-burst?)",
    ],
    [["--quite-another-thing"], "--quite-another-thing: is not a flag of netferry: see netferry help"],
    [["--inventory-poll-burst=many"], '--inventory-poll-burst: "many" is not a whole number'],
    [
      ["--inventory-min-poll-interval", "2"],
      '--inventory-min-poll-interval: "2" is not a duration; write for example 500ms, 2s or 1m30s',
    ],
    [
      ["--inventory-min-poll-interval=2m"],
      "--inventory-min-poll-interval: 2m is longer than --inventory-max-poll-interval",
    ],
    [["--nri-socket"], "--nri-socket: needs a value"],
    [["--move-ib-interfaces=yes"], '--move-ib-interfaces: "yes" is not true or false'],
    [
      ["--move-ib-interfaces", "false"],
      "--move-ib-interfaces: takes its value after an equals sign: --move-ib-interfaces=false",
    ],
    [["--bind-address=9177"], '--bind-address: "9177" is not host:port; write for example :9177 or [::1]:9177'],
    [
      ["--metrics-prefix=9x"],
      "--metrics-prefix: \"9x\" is not the beginning of a metric name (letters, digits, '_', ':')",
    ],
    [["--cdi-dir="], '--cdi-dir: "" is no path'],
    [[`--driver-name=${"a".repeat(64)}`], `--driver-name: "${"a".repeat(64)}" is longer than 63 characters`],
    [["--standalone"], "--standalone: needs --claims DIR, where the claims are"],
    [["--claims=/c"], "--claims: works only with --standalone; in a cluster claims come from the API server"],
    [["--=x"], "--=x: is not a flag; write --name or --name=value"],
    [["---x"], "---x: is not a flag; write --name or --name=value"],
    [["device"], "device: is not a command of netferry (did you mean devices?)"],
    [["run", "fast"], "fast: is one word too many after run"],
    [["-o", "json"], "-o: belongs to the commands devices and validate, not to run"],
    [["validate"], "-f: is needed: name a file to validate, or - for standard input"],
    [["validate", "-f", ""], "-f: names no file"],
    [["validate", "-f", "x", "-o", "yaml"], '-o: "yaml" is not one of text, json'],
    [["devices", "-f", "x"], "-f: belongs to the command validate, not to devices"],
    [
      ["--claim-may-set=ethtool.ring"],
      '--claim-may-set: "ethtool.ring" holds "ethtool.ring", which is no field of the configuration (did you mean ethtool.rings?)',
    ],
    [
      ["--cloud-provider-hint=AZUR"],
      '--cloud-provider-hint: "AZUR" is not one of GCE, AWS, AZURE, OKE, ALIBABA, CKS, webhook, NONE (did you mean AZURE?)',
    ],
    [
      ["--profile-provider=clod"],
      '--profile-provider: "clod" is not one of cloud, webhook, none (did you mean cloud?)',
    ],
    [["--profile-provider=webhook"], "--profile-provider: webhook needs --webhook-url, where the webhook is"],
    [["--cloud-provider-hint=webhook"], "--cloud-provider-hint: webhook needs --webhook-url, where the webhook is"],
    [["--webhook-url=ftp://x"], '--webhook-url: "ftp://x" is no http:// or https:// URL without a query'],
    [
      ["--webhook-url=unix://run/x.sock"],
      '--webhook-url: "unix://run/x.sock" names no socket; write unix:///path/of/the.sock',
    ],
    [["--cloud-provider-options=endpoint=x"], '--cloud-provider-options: "endpoint=x" is not provider.option=value'],
    [
      ["--cloud-provider-options=azur.endpoint=http://x", "--cloud-provider-options=aws.endpoint=http://x"],
      '--cloud-provider-options: "azur.endpoint=http://x" names the provider azur, which has no options (did you mean azure?)',
    ],
    [
      ["--cloud-provider-options=gce.url=http://x"],
      '--cloud-provider-options: "gce.url=http://x" names the option url, which gce does not have: it has endpoint',
    ],
    [
      ["--cloud-provider-options=gce.endpoint=x"],
      '--cloud-provider-options: "gce.endpoint=x" has a value that is no http:// or https:// URL without a query',
    ],
    [
      ["--cloud-provider-hint=AWS", "--cloud-provider-options=gce.endpoint=http://x"],
      "--cloud-provider-options: sets options of gce, which does not run with --cloud-provider-hint=AWS",
    ],
    [["devices", "-o", "jsn"], '-o: "jsn" is not one of table, wide, json, yaml, slice (did you mean json?)'],
  ];
  for (const [argv, message] of cases) test(argv.join(" "), () => expect(problem(...argv)).toBe(message));

  test("--driver-name is no DNS subdomain", () => {
    for (const name of ["Dra.net", "dra..net", "-a", "a.", ""])
      expect(problem(`--driver-name=${name}`)).toContain("is not a DNS subdomain");
  });
});

describe("parseCommandLine() with a command", () => {
  test("takes flags before and after it", () => {
    const line = parseCommandLine(["--sysfs-root=/s", "devices", "-o", "json", "--filter="]);
    expect(line).toMatchObject({ command: "devices", output: "json", config: { sysfsRoot: "/s", filter: "" } });
    expect(parseCommandLine(["devices", "--output=slice"])).toMatchObject({ output: "slice" });
    expect(
      parseCommandLine([
        "validate",
        "-f",
        "a",
        "--filename=-",
        "-f",
        "a",
        "--strict-claims",
        "--claim-may-set=ethtool",
      ]),
    ).toMatchObject({
      command: "validate",
      files: ["a", "-"],
      output: "text",
      config: { strictClaims: true, claimMaySet: ["ethtool"] },
    });
    expect(parseCommandLine(["version"])).toEqual({ command: "version" });
    expect(parseCommandLine(["--version"])).toEqual({ command: "version" });
    expect(parseCommandLine(["demo"]).command).toBe("demo");
  });

  test("explains each flag with its default for help, --help and -h", () => {
    for (const argv of [["help"], ["--help"], ["-h"], ["run", "--help"]]) {
      const line = parseCommandLine(argv);
      if (line.command !== "help") throw new Error(line.command);
      const words = line.text.replace(/\s+/g, " ");
      for (const { name, fallback, help } of Object.values(FLAGS)) {
        expect(words).toContain(name);
        expect(words).toContain(`${help} (default ${fallback || "empty"})`);
      }
      for (const row of line.text.split("\n")) expect(row.length).toBeLessThanOrEqual(115);
    }
  });
});
