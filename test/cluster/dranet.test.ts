/** Our image in the DaemonSet of DRANET: it works as DRANET does there, and says what is missing for more. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../lab/cluster/netferry.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, IDLE, pod } from "../lab/cluster/workload.ts";
import { hasLink, uniqueName } from "../lab/links.ts";
import { isHome, NetferryLab, netConfig } from "./netferry-lab.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;
const ATTACHED = 'dranet_driver_devices{state="attached"}';
/** For the node's /opt, which is the machine's. */
const HOOK_DIR = "/var/lib/dranet/bin";

let lab: NetferryLab;

beforeAll(async () => {
  lab = await NetferryLab.start({ install: false });
  await lab.workload.create({
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { name: "dra.net" },
    spec: { selectors: [{ cel: { expression: 'device.driver == "dra.net"' } }] },
  });
  await lab.install({ manifest: join(import.meta.dir, "dranet.yaml"), until: "healthz", edit: keepOutOfHost });
}, START_LIMIT_MS);
afterAll(() => lab[Symbol.asyncDispose](), LIMIT_MS);

test(
  "/readyz names the mount that turns the receipts on",
  async () => {
    const says = "the CDI directory /var/run/cdi is the container's own, not the host's";
    await until("it says so", async () => (await lab.netferry.readyz()).includes(says), 30_000);
    expect(await lab.netferry.readyz()).toContain("[+] kubelet");
    expect(await lab.netferry.readyz()).toContain("[+] publication");
  },
  LIMIT_MS,
);

test(
  "an agent that is replaced finds what the first one did, in the folder that DRANET's manifest mounts",
  async () => {
    expect(await lab.netferry.readyz()).toContain("[+] store: the store is /var/run/dranet/netferry.db");
    const link = await lab.macvlan();
    const name = uniqueName("kept");
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
      pod(name, { claims: { net: name } }),
    );
    await lab.workload.podReady(name);
    await lab.netferry.restart();
    await until("it knows the device", async () => (await lab.netferry.metric(ATTACHED)) === 1, 30_000);
    await lab.workload.deletePods(name);
    await isHome(link);
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "the init container that installs DRANET's hook says that there is none, and leaves the folder empty",
  async () => {
    const said = await lab.cluster.kubectl(["-n", "kube-system", "logs", "daemonset/dranet", "-c", "install-hook"]);
    expect(said).toContain("netferry installs no hook in /host/opt/dranet/bin");
    expect(readdirSync(lab.cluster.hostPath(HOOK_DIR))).toEqual([]);
  },
  LIMIT_MS,
);

test.each([
  ["names its claim", ["net"]],
  ["names it not", []],
] as const)(
  "a pod whose container %s gets its link and gives it back as it was",
  async (_, claims) => {
    const link = await lab.macvlan();
    const name = uniqueName("dranet");
    const script = `set -e; ip addr show net1; ping -c 1 -W 2 ${link.peer}; ${IDLE}`;
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
      pod(name, { claims: { net: name }, restartPolicy: "Never", containers: [{ script, claims }] }),
    );
    await lab.workload.podReady(name);
    expect(hasLink(link.ifname)).toBe(false);
    expect(await lab.cluster.kubectl(["logs", name])).toContain(link.address);
    const permission = "the service account needs get on pods";
    expect((await lab.netferry.log()).some(({ message }) => message.includes(permission))).toBe(true);
    await lab.workload.deletePods(name);
    await isHome(link);
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

function keepOutOfHost(object: Manifest): void {
  const volumes: { name: string; hostPath: { path: string } }[] = object["spec"]?.template?.spec.volumes ?? [];
  for (const { name, hostPath } of volumes) if (name === "hook-bin") hostPath.path = HOOK_DIR;
}
