import { inClusterCredentials } from "./in-cluster.ts";
import { KubeClient } from "./kube-client.ts";
import { kubeconfigCredentials } from "./kubeconfig.ts";

/** The API server of `--kubeconfig`, or of the pod that we run in when that is empty. Throws ConfigError. */
export async function openKubeClient(options: {
  readonly kubeconfig: string;
  readonly userAgent: string;
}): Promise<KubeClient> {
  const { kubeconfig, userAgent } = options;
  const credentials = kubeconfig === "" ? inClusterCredentials() : await kubeconfigCredentials(kubeconfig);
  return new KubeClient({ credentials, userAgent });
}
