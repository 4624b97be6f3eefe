/** What goes wrong on a real node: parts that die, restart or are away, and netferry between them. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readlinkSync, writeFileSync } from "node:fs";
import type { Manifest } from "../lab/cluster/netferry.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, type PodObject, pod } from "../lab/cluster/workload.ts";
import { hasLink, uniqueName } from "../lab/links.ts";
import { isHome, NetferryLab, netConfig, type TestLink } from "./netferry-lab.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;
/** Longer than the watches, back-offs and token renewals of everyone on the node. */
const OUTAGE_MS = 120_000;
/** A kubelet of 1.34 took more than a minute to read its pods again, after what it waits between its tries. */
const RECOVERY_LIMIT_MS = 180_000;
/** A kubelet wipes the slices of a driver that is gone for 30 s. */
const WIPE_LIMIT_MS = 60_000;
/** What the agent of this lab takes for the kernel's boot id; on the node, where it outlives a reboot. */
const BOOT_ID = "/var/lib/netferry/boot_id";

let lab: NetferryLab;

beforeAll(async () => {
  lab = await NetferryLab.start({ install: false });
  writeFileSync(lab.cluster.hostPath(BOOT_ID), `${crypto.randomUUID()}\n`);
  await lab.install({ edit: withOwnBootId });
}, START_LIMIT_MS);
afterAll(() => lab[Symbol.asyncDispose](), LIMIT_MS);

test(
  "force deletion while the agent is away: the claim is unprepared and the link made anew when it is back",
  async () => {
    const { link, name } = await runningPod();
    await lab.netferry.stop();
    await lab.cluster.kubectl(["delete", "pod", name, "--force", "--grace-period=0"]);
    await until("its sandbox is gone", async () => (await tasksOf(name, "sandbox")).length === 0, 60_000);
    await lab.netferry.start();
    await isHome(link, { madeAnew: true });
    await nothingIsHeld();
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "a sandbox that is killed under its pod: the pod's next one has the link, without another Prepare",
  async () => {
    const { link, name, before } = await runningPod();
    await kill("sandbox", name);
    await runsAnew(name, before);
    await hasItsLink(name, link);
    expect((await prepared(name)).length).toBe(1);
    await ends(name, link);
  },
  LIMIT_MS,
);

test(
  "a kubelet restart: registered again, the pod undisturbed, and pods start as before",
  async () => {
    const { link, name, before } = await runningPod();
    await lab.cluster.parts.kubelet.restart();
    await lab.cluster.ready();
    await lab.netferry.ready();
    const registrations = async () => (await logged("registered with the kubelet")).length;
    await until("the kubelet has registered netferry again", async () => (await registrations()) >= 2, 60_000);
    await hasItsLink(name, link);
    expect(containerOf(await lab.workload.pod(name))).toBe(containerOf(before));
    await ends(name, link);
    const next = await runningPod();
    await ends(next.name, next.link);
  },
  LIMIT_MS,
);

test(
  "the agent killed under a running pod: its next process brings the link home",
  async () => {
    const { link, name, before } = await runningPod();
    const [agent] = await lab.netferry.pods();
    process.kill(agentPid(), "SIGKILL");
    const restarted = async () => {
      const [now] = await lab.netferry.pods();
      return (
        (now?.status.containerStatuses?.[0]?.restartCount ?? 0) >
        (agent?.status.containerStatuses?.[0]?.restartCount ?? 0)
      );
    };
    await until("the kubelet has started the agent again", restarted, 60_000);
    await lab.netferry.ready();
    await hasItsLink(name, link);
    expect(containerOf(await lab.workload.pod(name))).toBe(containerOf(before));
    await ends(name, link);
  },
  LIMIT_MS,
);

test(
  "an agent that is replaced by another pod of the DaemonSet finds what the first one did",
  async () => {
    const { link, name } = await runningPod();
    await lab.netferry.restart();
    await hasItsLink(name, link);
    await ends(name, link);
  },
  LIMIT_MS,
);

test(
  "an API server that restarts: slices and claims go on",
  async () => {
    const { link, name } = await runningPod();
    const [slice] = await lab.workload.slices();
    await lab.cluster.parts.apiserver.restart();
    await lab.cluster.ready();
    const next = await runningPod();
    expect((await lab.workload.slices())[0]?.metadata.uid).toBe(slice?.metadata.uid ?? "");
    await ends(name, link);
    await ends(next.name, next.link);
  },
  LIMIT_MS,
);

test(
  "two minutes without an API server: the agent stays, containers start again with their link, sandboxes wait",
  async () => {
    const first = await runningPod();
    const second = await runningPod();
    const pid = agentPid();
    await lab.cluster.parts.apiserver.stop();
    try {
      const endMs = performance.now() + OUTAGE_MS;
      const [id] = await tasksOf(first.name, "container");
      const old = await tasksOf(second.name, "container");
      await kill("container", first.name);
      const again = async () => (await tasksOf(first.name, "container")).some((other) => other !== id);
      await until("the kubelet has started the container again", again, OUTAGE_MS);
      // The kubelet reads the claim from the API server before each sandbox, also when it has prepared it already.
      await kill("sandbox", second.name);
      const over = async () => {
        if (agentPid() !== pid) throw new Error(`the agent ${pid} has ended`);
        const started = (await tasksOf(second.name, "container")).filter((task) => !old.includes(task));
        if (started.length > 0) throw new Error(`the container ${started} started in a dead sandbox`);
        return performance.now() > endMs;
      };
      await until("the outage is over", over, OUTAGE_MS + 10_000);
      expect(await lab.netferry.readyz()).toContain("[+] runtime");
    } finally {
      await lab.cluster.parts.apiserver.start();
    }
    await lab.cluster.ready(RECOVERY_LIMIT_MS);
    await runsAnew(first.name, first.before);
    await runsAnew(second.name, second.before);
    expect(agentPid()).toBe(pid);
    for (const { name, link } of [first, second]) {
      await hasItsLink(name, link);
      await ends(name, link);
    }
    const next = await runningPod(); // published and prepared after the outage
    await ends(next.name, next.link);
  },
  LIMIT_MS + OUTAGE_MS + RECOVERY_LIMIT_MS,
);

test(
  "slices that are deleted by hand come back with the same devices",
  async () => {
    const link = await lab.macvlan();
    const devices = await lab.workload.devices();
    const before = (await lab.workload.slices()).map(({ metadata }) => metadata.uid);
    await lab.cluster.kubectl(["delete", "resourceslices", "--all"]);
    const back = async () => {
      const slices = await lab.workload.slices();
      return slices.length > 0 && slices.every(({ metadata }) => !before.includes(metadata.uid));
    };
    await until("there are new slices", back, 30_000);
    expect(await lab.workload.devices()).toEqual(devices);
    expect(devices.map(({ name }) => name)).toContain(link.ifname);
  },
  LIMIT_MS,
);

test(
  "slices that the kubelet wipes, since the driver is away, come back with it",
  async () => {
    const { link, name } = await runningPod();
    const devices = await lab.workload.devices();
    await lab.netferry.stop();
    await until(
      "the kubelet has wiped the slices",
      async () => (await lab.workload.slices()).length === 0,
      WIPE_LIMIT_MS,
    );
    await hasItsLink(name, link);
    await lab.netferry.start();
    await until("they are back", async () => (await lab.workload.slices()).length > 0, 30_000);
    expect(await lab.workload.devices()).toEqual(devices); // with the one that is in its pod
    await ends(name, link);
  },
  LIMIT_MS,
);

test(
  "a reboot: what was attached is forgotten, the kubelet prepares the claim again, and the pod has its link",
  async () => {
    const { link, name, before } = await runningPod();
    let again: TestLink | undefined;
    await lab.cluster.reboot(async () => {
      writeFileSync(lab.cluster.hostPath(BOOT_ID), `${crypto.randomUUID()}\n`);
      await until(`${link.ifname} went with its pod`, () => !hasLink(link.ifname), 10_000);
      again = await lab.bootLink(link);
    });
    if (again === undefined) throw new Error("the node was not down");
    await lab.netferry.ready();
    await runsAnew(name, before);
    await hasItsLink(name, again);
    expect((await prepared(name)).length).toBe(1); // the log is of this boot's agent
    await ends(name, again);
    await nothingIsHeld();
  },
  LIMIT_MS,
);

/** A pod that names its claim, with a link of its own in it. */
async function runningPod(): Promise<{ link: TestLink; name: string; before: PodObject }> {
  const link = await lab.macvlan();
  const name = uniqueName("fail");
  await lab.workload.create(
    claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
    pod(name, { claims: { net: name } }),
  );
  const before = await lab.workload.podReady(name);
  await hasItsLink(name, link);
  return { link, name, before };
}

async function hasItsLink(name: string, link: TestLink): Promise<void> {
  expect(hasLink(link.ifname)).toBe(false);
  expect(await lab.workload.exec(name, ["ip", "addr", "show", "net1"])).toContain(`inet ${link.address}`);
  expect(await lab.workload.exec(name, ["ping", "-c", "1", "-W", "2", link.peer])).toContain(" 0% packet loss");
}

async function ends(name: string, link: TestLink): Promise<void> {
  await lab.workload.deletePods(name);
  await isHome(link);
  await lab.workload.deleteClaims(name);
}

async function runsAnew(name: string, before: PodObject): Promise<void> {
  const first = containerOf(before);
  const anew = (now: PodObject) => now.status.containerStatuses?.[0]?.ready === true && containerOf(now) !== first;
  await lab.workload.podIs(name, "Ready in a new container", anew, 120_000);
}

function containerOf({ status }: PodObject): string {
  return status.containerStatuses?.[0]?.containerID ?? "";
}

async function nothingIsHeld(): Promise<void> {
  for (const metric of ["held_namespaces", "receipts", 'devices{state="attached"}', 'devices{state="prepared"}']) {
    const none = async () => (await lab.netferry.metric(`dranet_driver_${metric}`)) === 0;
    await until(`${metric} is 0`, none, 30_000);
  }
}

/** Ids of the pod's tasks that run: its sandbox, or its containers. */
async function tasksOf(name: string, kind: "sandbox" | "container"): Promise<string[]> {
  const filter = `labels."io.kubernetes.pod.name"==${name},labels."io.cri-containerd.kind"==${kind}`;
  const ids = words(await lab.cluster.ctr("containers", "ls", "-q", filter));
  const running = words(await lab.cluster.ctr("tasks", "ls")).filter((line) => line.includes("RUNNING"));
  return ids.filter((id) => running.some((line) => line.startsWith(id)));
}

async function kill(kind: "sandbox" | "container", name: string): Promise<void> {
  const [id] = await tasksOf(name, kind);
  if (id === undefined) throw new Error(`the pod ${name} has no ${kind} that runs`);
  await lab.cluster.ctr("tasks", "kill", "--signal", "SIGKILL", id);
}

function words(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** Of the one process in the cluster that runs the image's executable; 0 while there is none. */
function agentPid(): number {
  return lab.cluster.cgroup.pids().find((pid) => executableOf(pid) === "/netferry") ?? 0;
}

function executableOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return ""; // it ended while we looked
  }
}

async function logged(message: string) {
  return (await lab.netferry.log()).filter((line) => line.message === message);
}

async function prepared(claimName: string) {
  return (await logged("claim prepared")).filter((line) => line["claim"] === `default/${claimName}`);
}

/** The agent sees another file where the kernel shows its boot id. */
function withOwnBootId(object: Manifest): void {
  if (object.kind !== "DaemonSet") return;
  const spec = object["spec"].template.spec;
  spec.volumes.push({ name: "boot-id", hostPath: { path: BOOT_ID, type: "File" } });
  const mountPath = "/host/proc/sys/kernel/random/boot_id";
  spec.containers[0].volumeMounts.push({ name: "boot-id", mountPath, readOnly: true });
}
