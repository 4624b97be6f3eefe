/** The node of a test file that runs in the emulated machine. */

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICE_ACCOUNT_DIRECTORY } from "../../src/kube/client/in-cluster.ts";
import { TestNode } from "./node.ts";
import { type NodeForTests, nodeForTests } from "./node-for-tests.ts";

/**
 * With containerd's usual 2 s a hook would answer before a slow machine is done, as it should, and tests would have to
 * create their containers twice, as a kubelet does.
 */
const HOOK_LIMIT_MS = 60_000;

export function startGuestNode(): Promise<TestNode> {
  // The pod network's plugin does so with the first pod, which changes every link of the host.
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  return TestNode.start({ suite: "sid", requestTimeoutMs: HOOK_LIMIT_MS });
}

/** What most files of `test/vm/guest` begin with; each of their tests starts its agents. */
export function guestNodeForTests(): NodeForTests {
  return nodeForTests({ start: startGuestNode });
}

/**
 * For an agent that takes itself for a pod of the cluster, with `/` for its container's file system. The service account is
 * written where a pod has it, so this is for a machine of one's own.
 */
export function asPod(node: TestNode): {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
} {
  mkdirSync(SERVICE_ACCOUNT_DIRECTORY, { recursive: true });
  copyFileSync(node.authorityFile, join(SERVICE_ACCOUNT_DIRECTORY, "ca.crt"));
  writeFileSync(join(SERVICE_ACCOUNT_DIRECTORY, "token"), "token");
  const { hostname, port } = new URL(node.api.url);
  return { args: ["--kubeconfig="], env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port } };
}
