/**
 * The node: a mount namespace in which `/run`, `/var/log` and parts of `/var/lib` are the cluster's. Kubelet, containerd
 * and what a test runs there find the paths that a real node has, and every mount that they make goes with the namespace.
 * Network and process ids are the host's.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ClusterCgroup } from "./cgroup.ts";
import { layout, NODE_LIB } from "./layout.ts";
import { until } from "./wait.ts";

const START_LIMIT_MS = 10_000;

/** Starts the process that holds the namespace, and returns its id. */
export async function startNode(dir: string, cgroup: ClusterCgroup): Promise<number> {
  const ready = layout(dir).holderReady;
  rmSync(ready, { force: true });
  const holder = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", mountScript(dir)];
  const child = Bun.spawn([...joining(cgroup), ...holder], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  child.unref();
  await until(
    `the mounts of the node in ${dir} are made`,
    async () => {
      if (child.exitCode !== null) throw new Error(`mounts of the node: ${await new Response(child.stderr).text()}`);
      return existsSync(ready);
    },
    START_LIMIT_MS,
  );
  return child.pid;
}

/** Puts a command into the node that `holder` holds. */
export function inNode(holder: number, cgroup: ClusterCgroup, argv: readonly string[]): string[] {
  return [...joining(cgroup), "nsenter", `--mount=/proc/${holder}/ns/mnt`, "--", ...argv];
}

/** A shell that makes itself a member of the cluster, and becomes the command that follows. */
function joining(cgroup: ClusterCgroup): string[] {
  return ["sh", "-euc", `echo $$ >${cgroup.partsFile}; exec "$@"`, "sh"];
}

/** Shared, as on a node with systemd: pods may ask for mount propagation. */
function mountScript(dir: string): string {
  const { node, holderReady } = layout(dir);
  const overlay = `lowerdir=/var/lib,upperdir=${join(node.overlay, "upper")},workdir=${join(node.overlay, "work")}`;
  return [
    `mount --bind ${node.run} /run`,
    `mount --bind ${node.log} /var/log`,
    `mount -t overlay overlay -o ${overlay} /var/lib`,
    ...NODE_LIB.flatMap((name) => [
      `mkdir -p /var/lib/${name}`,
      `mount --bind ${join(node.lib, name)} /var/lib/${name}`,
    ]),
    "mount --make-rshared /",
    `: >${holderReady}`,
    "exec sleep infinity",
  ].join("\n");
}
