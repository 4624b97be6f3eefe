/**
 * The Go modules that the cluster is built of, Helm's and DRANET's, one folder of `go/` each, with `go.mod` and `go.sum`
 * committed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compareVersions, requiredGo, requiredVersion } from "./go-module.ts";

export interface GoModule {
  /** The folder of `go.mod`. */
  readonly dir: string;
  /** Of upstream: `v1.34.4`. */
  readonly version: string;
  /** The least Go that builds it. */
  readonly go: string;
  /** File name → import path. */
  readonly programs: Readonly<Record<string, string>>;
  /** Variables that the linker sets, so that the programs tell their version. */
  readonly stamps: Readonly<Record<string, string>>;
}

export const MODULES_DIR = join(import.meta.dir, "go");
export const KUBERNETES = "k8s.io/kubernetes";
export const CONTAINERD = "github.com/containerd/containerd/v2";

export const HELM = "helm.sh/helm/v3";

export const DRANET = "github.com/google/dranet";
/** The only one of this name that the module proxy offers; it lists none. */
export const DRANET_VERSION = "v1.0.1";

const KUBERNETES_PROGRAMS = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"];
const CONTAINERD_PROGRAMS = ["containerd", "containerd-shim-runc-v2", "ctr"];

export const kubernetesPrograms = programsOf(KUBERNETES, KUBERNETES_PROGRAMS);
export const containerdPrograms = programsOf(CONTAINERD, CONTAINERD_PROGRAMS);
export const helmPrograms = programsOf(HELM, ["helm"]);
export const dranetPrograms = programsOf(DRANET, ["dranet"]);

/** The minor releases of Kubernetes that can be built, oldest first: `1.34`. */
export function releases(): string[] {
  return readdirSync(MODULES_DIR)
    .flatMap((name) => /^kubernetes-(\d+\.\d+)$/.exec(name)?.[1] ?? [])
    .sort(compareVersions);
}

export function newestRelease(): string {
  const newest = releases().at(-1);
  if (newest === undefined) throw new Error(`${MODULES_DIR} holds no kubernetes-1.NN folder`);
  return newest;
}

/** Throws a sentence with the remedy when there is no such release. */
export function kubernetesModule(release: string): GoModule {
  const dir = kubernetesDir(release);
  if (!existsSync(join(dir, "go.mod"))) {
    throw new Error(
      `There is no Kubernetes ${release} in this lab, but ${releases().join(", ")}. ` +
        `To add it: bun test/lab/cluster/generate.ts ${release}`,
    );
  }
  const text = readFileSync(join(dir, "go.mod"), "utf8");
  const version = requiredVersion(text, KUBERNETES);
  const [major = "", minor = ""] = version.slice(1).split(".");
  const stamps: Record<string, string> = {};
  for (const where of ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]) {
    stamps[`${where}.gitVersion`] = version;
    stamps[`${where}.gitMajor`] = major;
    stamps[`${where}.gitMinor`] = minor;
  }
  return { dir, version, go: requiredGo(text), programs: kubernetesPrograms, stamps };
}

export function kubernetesDir(release: string): string {
  return join(MODULES_DIR, `kubernetes-${release}`);
}

export const containerdDir = join(MODULES_DIR, "containerd");

export function containerdModule(): GoModule {
  return moduleOf(containerdDir, CONTAINERD, containerdPrograms, `${CONTAINERD}/version.Version`);
}

export const helmDir = join(MODULES_DIR, "helm");

/** What renders the chart. */
export function helmModule(): GoModule {
  return moduleOf(helmDir, HELM, helmPrograms, `${HELM}/internal/version.version`);
}

export const dranetDir = join(MODULES_DIR, "dranet");

/** What netferry takes the place of. */
export function dranetModule(): GoModule {
  return moduleOf(dranetDir, DRANET, dranetPrograms);
}

function moduleOf(dir: string, path: string, programs: GoModule["programs"], stamp?: string): GoModule {
  const text = readFileSync(join(dir, "go.mod"), "utf8");
  const version = requiredVersion(text, path);
  return { dir, version, go: requiredGo(text), programs, stamps: stamp === undefined ? {} : { [stamp]: version } };
}

function programsOf(module: string, names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, `${module}/cmd/${name}`]));
}
