import type { Credentials } from "./credentials.ts";
import { inClusterCredentials } from "./in-cluster.ts";
import { KubeClient } from "./kube-client.ts";

/** The API server of `--kubeconfig`, or of the pod that we run in when that is empty. Throws ConfigError. */
export async function openKubeClient(options: {
  readonly kubeconfig: string;
  readonly userAgent: string;
}): Promise<KubeClient> {
  const { kubeconfig, userAgent } = options;
  const credentials = kubeconfig === "" ? inClusterCredentials() : await fromFile(kubeconfig);
  return new KubeClient({ credentials, userAgent });
}

/** Loaded on demand: the library's KubeConfig costs 7 MB of anonymous memory, which a pod need not pay. */
async function fromFile(path: string): Promise<Credentials> {
  const { kubeconfigCredentials } = await import("./kubeconfig.ts");
  return kubeconfigCredentials(path);
}
