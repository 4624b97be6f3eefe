/** When is a part of the cluster of use? */
import { connect } from "node:net";
import type { ApiClient } from "./api.ts";

/** Does somebody listen there? */
export function accepts(
  address: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

interface List<T> {
  readonly items: readonly T[] | null;
}

interface Pod {
  readonly metadata: { readonly uid: string };
}

interface Node {
  readonly metadata: { readonly name: string };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/**
 * Would a pod of the namespace `default` be admitted and started now? A node that was Ready before its kubelet went
 * stays so for a while, so the kubelet is asked too: it has to know the pods that run.
 */
export async function takesPods(api: ApiClient, nodeName: string): Promise<boolean> {
  const default_ = "fieldSelector=metadata.name%3Ddefault";
  const accounts = await api.json<List<unknown>>(`/api/v1/namespaces/default/serviceaccounts?${default_}`);
  if (accounts.items?.length !== 1) return false;
  const nodes = await api.json<List<Node>>("/api/v1/nodes");
  const node = nodes.items?.find(({ metadata }) => metadata.name === nodeName);
  if (node?.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") !== true) return false;
  const onNode = `fieldSelector=spec.nodeName%3D${nodeName},status.phase%3DRunning`;
  const running = await api.json<List<Pod>>(`/api/v1/pods?${onNode}`);
  const known = await kubeletPods(api, nodeName);
  return running.items?.every(({ metadata }) => known.includes(metadata.uid)) === true;
}

async function kubeletPods(api: ApiClient, nodeName: string): Promise<string[]> {
  const url = `/api/v1/nodes/${nodeName}/proxy/pods`;
  const pods = await api.json<List<Pod>>(url).catch(() => undefined); // the kubelet is not up yet
  return pods?.items?.map(({ metadata }) => metadata.uid) ?? [];
}
