import type { KubeClient } from "../kube/client/kube-client.ts";
import { isForbidden, isNotFound } from "../kube/client/kube-error.ts";
import type { PodFacts } from "../kube/pods.ts";

/**
 * Why this pod's runtime handler cannot have our devices, or `undefined`. Where RuntimeClasses may not be read, the
 * class's name stands for its handler: they are the same almost everywhere.
 */
export async function handlerProblem(
  parts: { readonly client: Pick<KubeClient, "get">; readonly runtimeHandlers: readonly string[] },
  pod: PodFacts,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (pod.runtimeClassName === "") return undefined;
  const handler = await handlerOf(parts.client, pod.runtimeClassName, signal);
  if (parts.runtimeHandlers.includes(handler)) return undefined;
  return `pod ${pod.namespace}/${pod.name} runs with the handler ${handler} of RuntimeClass ${pod.runtimeClassName}, which is not in --runtime-handlers (${parts.runtimeHandlers.join(", ")}): such runtimes look at the network before a device can be there`;
}

async function handlerOf(client: Pick<KubeClient, "get">, name: string, signal: AbortSignal): Promise<string> {
  try {
    const found = await client.get<{ handler?: string }>(`/apis/node.k8s.io/v1/runtimeclasses/${name}`, { signal });
    return found.handler ?? name;
  } catch (error) {
    if (isForbidden(error) || isNotFound(error)) return name;
    throw error;
  }
}
