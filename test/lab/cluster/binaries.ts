/** Every program of the cluster: built ones, and those of Debian. */
import { join } from "node:path";
import { labImages } from "../runtime/images.ts";
import { type OciRuntime, ociRuntime } from "../runtime/oci-runtimes.ts";
import { debianPackages } from "../runtime/packages.ts";
import { toolsImage } from "../runtime/tools-image.ts";
import { type Build, type BuildRecord, build } from "./build.ts";
import { containerdModule, kubernetesModule } from "./modules.ts";

export interface Binaries {
  /** Folders of programs. */
  readonly kubernetes: string;
  readonly containerd: string;
  /** Programs. */
  readonly etcd: string;
  readonly kubectl: string;
  readonly oci: string;
  /** The folder of the CNI plugins. */
  readonly cni: string;
  /** Archives with the images of the lab. */
  readonly images: readonly string[];
  readonly versions: Readonly<Record<"kubernetes" | "containerd" | "etcd" | "kubectl" | "oci" | "cni", string>>;
  readonly builds: readonly BuildRecord[];
}

export interface BinariesOptions {
  /** `1.34`. */
  readonly release: string;
  readonly ociRuntime?: OciRuntime;
  readonly say: (line: string) => void;
}

/** Builds and fetches what the cache lacks. */
export async function clusterBinaries(options: BinariesOptions): Promise<Binaries> {
  const debian = await debianPackages("sid", [
    "etcd-server",
    "kubectl",
    "containernetworking-plugins",
    "busybox-static",
  ]);
  const runtime = options.ociRuntime ?? "runc143";
  const oci = await ociRuntime(runtime);
  const images = [await labImages(debian["busybox-static"]), await toolsImage(debian["busybox-static"])];
  const containerd: Build = await build(containerdModule(), options.say);
  const kubernetes: Build = await build(kubernetesModule(options.release), options.say);
  return {
    kubernetes: kubernetes.bin,
    containerd: containerd.bin,
    etcd: join(debian["etcd-server"].root, "usr/bin/etcd"),
    kubectl: join(debian.kubectl.root, "usr/bin/kubectl"),
    oci: oci.path,
    cni: join(debian["containernetworking-plugins"].root, "usr/lib/cni"),
    images,
    versions: {
      kubernetes: kubernetes.version,
      containerd: containerd.version,
      etcd: debian["etcd-server"].version,
      kubectl: debian.kubectl.version,
      oci: `${runtime} ${oci.version}`,
      cni: debian["containernetworking-plugins"].version,
    },
    builds: [...containerd.records, ...kubernetes.records],
  };
}
