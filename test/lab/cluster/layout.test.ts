import { expect, test } from "bun:test";
import { hostPath } from "./layout.ts";

test("hostPath() says where the host finds a path of the node", () => {
  const paths = {
    "/var/run/cdi": "/c/node/run/cdi",
    "/run": "/c/node/run",
    "/var/lib/kubelet/plugins": "/c/node/lib/kubelet/plugins",
    "/var/lib/kubelet-other": "/c/node/overlay/upper/kubelet-other",
    "/var/log/pods": "/c/node/log/pods",
    "/runner": "/runner",
    "/etc/hosts": "/etc/hosts",
  };
  for (const [path, expected] of Object.entries(paths)) expect(hostPath("/c", path)).toBe(expected);
});
