/** `./dev cluster`: one cluster that stays up until it is taken down. */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { clusterBinaries } from "./binaries.ts";
import { type BuildRecord, build } from "./build.ts";
import { type Cluster, openCluster, PART_NAMES, startCluster } from "./cluster.ts";
import { dranetModule, helmModule, newestRelease, releases } from "./modules.ts";

const USAGE = `./dev cluster COMMAND
  up [--release 1.NN] [--feature-gates A=true,B=false] [--apis GROUP/VERSION,...]
                     builds what is missing, starts a cluster of one node, waits until it is Ready
  down               ends it and leaves nothing behind
  status             what runs, and which versions
  build [--release 1.NN|all]
                     builds only; prints what each program took when it was built
  kubectl ARG...     as its administrator
  node COMMAND...    runs a command where the paths of the node are (/var/lib/kubelet, /run/containerd, /var/run/nri)
`;

const DIR = join(tmpdir(), "netferry-cluster");

const [command = "help", ...args] = process.argv.slice(2);
process.exitCode = await main();

async function main(): Promise<number> {
  switch (command) {
    case "up":
      return await up();
    case "down":
      return await down();
    case "status":
      return status();
    case "build":
      return await buildOnly();
    case "kubectl":
      return await attached(running().kubectlCommand(args));
    case "node":
      return await attached(running().inNode(args));
    default:
      console.error(USAGE);
      return command === "help" ? 0 : 2;
  }
}

async function up(): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { release: { type: "string" }, "feature-gates": { type: "string" }, apis: { type: "string" } },
  });
  const there = openCluster(DIR);
  if (there !== undefined) {
    console.error(`There is a cluster already, of Kubernetes ${there.release}. To end it: ./dev cluster down`);
    return 1;
  }
  const startMs = performance.now();
  const cluster = await startCluster({
    dir: DIR,
    featureGates: gatesOf(values["feature-gates"]),
    apis: values.apis?.split(",") ?? [],
    ...(values.release === undefined ? {} : { release: values.release }),
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`Node ${cluster.nodeName} is Ready after ${seconds} s, Kubernetes ${cluster.versions.kubernetes}.`);
  console.log(`export KUBECONFIG=${cluster.kubeconfig}`);
  return 0;
}

async function down(): Promise<number> {
  const cluster = openCluster(DIR);
  if (cluster === undefined) {
    rmSync(DIR, { recursive: true, force: true });
    console.log("There is no cluster.");
    return 0;
  }
  await cluster.down();
  return 0;
}

function status(): number {
  const cluster = running();
  for (const [what, version] of Object.entries(cluster.versions)) console.log(`${what.padEnd(12)} ${version}`);
  for (const name of PART_NAMES) console.log(`${name.padEnd(12)} ${cluster.parts[name].pid ?? "is down"}`);
  console.log(`KUBECONFIG=${cluster.kubeconfig}`);
  return 0;
}

async function buildOnly(): Promise<number> {
  const { values } = parseArgs({ args, options: { release: { type: "string", default: newestRelease() } } });
  const wanted = values.release === "all" ? releases() : [values.release];
  const say = (line: string) => console.error(`cluster: ${line}`);
  for (const release of wanted) {
    const { builds } = await clusterBinaries({ release, say });
    showBuilds(`Kubernetes ${release}`, builds);
  }
  showBuilds("Helm, for the chart's test", (await build(helmModule(), say)).records);
  showBuilds("DRANET, for the test that takes its place", (await build(dranetModule(), say)).records);
  return 0;
}

function showBuilds(title: string, builds: readonly BuildRecord[]): void {
  console.log(title);
  for (const { program, version, seconds, bytes, go, cpus } of builds) {
    const size = `${(bytes / 1e6).toFixed(1)} MB`.padStart(9);
    console.log(
      `  ${program.padEnd(24)} ${version.padEnd(9)} ${size} ${seconds.toFixed(1).padStart(7)} s  Go ${go}, ${cpus} processors`,
    );
  }
}

/** Throws when there is none. */
function running(): Cluster {
  const cluster = openCluster(DIR);
  if (cluster === undefined) throw new Error("There is no cluster. To start one: ./dev cluster up");
  return cluster;
}

async function attached(argv: readonly string[]): Promise<number> {
  const child = Bun.spawn([...argv], { stdio: ["inherit", "inherit", "inherit"] });
  return await child.exited;
}

function gatesOf(text: string | undefined): Record<string, boolean> {
  const entries = (text ?? "").split(",").filter((entry) => entry !== "");
  return Object.fromEntries(
    entries.map((entry) => {
      const [gate = "", value] = entry.split("=");
      if (value !== "true" && value !== "false")
        throw new Error(`--feature-gates wants GATE=true or GATE=false: ${entry}`);
      return [gate, value === "true"];
    }),
  );
}
