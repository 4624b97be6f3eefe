/** Our image in the DaemonSet of DRANET: it works as DRANET does there, and says what is missing for more. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Manifest, toYaml } from "../lab/cluster/netferry.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, IDLE, pod } from "../lab/cluster/workload.ts";
import { hasLink, uniqueName } from "../lab/links.ts";
import { isHome, NetferryLab, netConfig, type TestLink } from "./netferry-lab.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;
const RECEIPTS = "dranet_driver_receipts";
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

test(
  "two mounts and one verb turn the receipts on, under a pod that keeps its link and gives it back",
  async () => {
    const [old, young] = [await lab.macvlan(), await lab.macvlan()];
    const [before, after] = [uniqueName("before"), uniqueName("after")];
    const create = (name: string, link: TestLink) =>
      lab.workload.create(
        claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
        pod(name, { claims: { net: name } }),
      );
    await create(before, old);
    await lab.workload.podReady(before);
    const objects = structuredClone(lab.netferry.objects) as Manifest[];
    for (const object of objects) turnReceiptsOn(object);
    await lab.cluster.apply(toYaml(objects));
    const isOn = async () =>
      (await lab.netferry.readyz()).includes("[+] receipts: receipts are written to /var/run/cdi");
    await until("receipts are on", isOn, 90_000);
    expect(await lab.netferry.readyz()).toContain("[+] store: the store is /var/run/dranet/netferry.db");
    expect(await lab.netferry.metric(ATTACHED)).toBe(1);

    await create(after, young);
    await lab.workload.podReady(after);
    expect(await lab.netferry.metric(RECEIPTS)).toBeGreaterThan(0);
    await lab.workload.deletePods(before, after);
    await isHome(old);
    await isHome(young);
    await until("no receipt is left", async () => (await lab.netferry.metric(RECEIPTS)) === 0, 30_000);
    await lab.workload.deleteClaims(before, after);
  },
  LIMIT_MS,
);

function turnReceiptsOn(object: Manifest): void {
  if (object.kind === "ClusterRole") object["rules"].push({ apiGroups: [""], resources: ["pods"], verbs: ["get"] });
  if (object.kind !== "DaemonSet") return;
  const { containers, volumes } = object["spec"].template.spec;
  for (const [name, path] of [
    ["cdi", "/var/run/cdi"],
    ["state", "/var/lib/netferry"],
  ]) {
    containers[0].volumeMounts.push({ name, mountPath: path });
    volumes.push({ name, hostPath: { path, type: "DirectoryOrCreate" } });
  }
}

function keepOutOfHost(object: Manifest): void {
  const volumes: { name: string; hostPath: { path: string } }[] = object["spec"]?.template?.spec.volumes ?? [];
  for (const { name, hostPath } of volumes) if (name === "hook-bin") hostPath.path = HOOK_DIR;
}
