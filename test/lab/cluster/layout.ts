/** Where things of one cluster are, on the host and as its node sees them. */
import { join } from "node:path";

/** Folders of the node's /var/lib that are folders of the cluster; the others are an overlay on the host's. */
export const NODE_LIB = ["kubelet", "containerd", "cni", "netferry", "dranet"] as const;

/** Paths below `dir`. `node` holds what the node sees as `/run`, `/var/log` and parts of `/var/lib`. */
export function layout(dir: string) {
  const node = join(dir, "node");
  return {
    state: join(dir, "state.json"),
    pki: join(dir, "pki"),
    etc: join(dir, "etc"),
    cni: join(dir, "etc/cni"),
    kubeconfig: join(dir, "admin.kubeconfig"),
    log: join(dir, "log"),
    home: join(dir, "home"),
    etcd: join(dir, "etcd"),
    holderReady: join(dir, "holder-ready"),
    node: {
      run: join(node, "run"),
      lib: join(node, "lib"),
      log: join(node, "log"),
      /** What the node writes into its /var/lib outside NODE_LIB. */
      overlay: join(node, "overlay"),
    },
  } as const;
}

/** A path of the node, as the host reaches it: `/var/run/cdi` → `DIR/node/run/cdi`. */
export function hostPath(dir: string, path: string): string {
  const { node } = layout(dir);
  const lib = NODE_LIB.join("|");
  const places: readonly (readonly [RegExp, string])[] = [
    [/^(?:\/var)?\/run(?=\/|$)/, node.run],
    [/^\/var\/log(?=\/|$)/, node.log],
    [new RegExp(`^/var/lib/(?=(?:${lib})(?:/|$))`), `${node.lib}/`],
    [/^\/var\/lib(?=\/|$)/, join(node.overlay, "upper")],
  ];
  for (const [pattern, place] of places) if (pattern.test(path)) return path.replace(pattern, place);
  return path;
}
