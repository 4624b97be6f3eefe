/** The life of a claim, told step by step. Every step checks what it says. */

import { readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HeldNetns, Kernel } from "../kernel/calls.ts";
import type { AgentProcess } from "./agent-process.ts";
import { describePings, insist, podLink, refusal, requireLink, settled, unchanged } from "./checks.ts";
import { CLAIM_DEVICE, CLAIM_NAME, CLAIM_YAML, POD_ADDRESS, POD_ANNOTATIONS, POD_LINK, POD_MTU } from "./claim.ts";
import { FAR_ADDRESS, FAR_NETWORK, FAST_LINK, makeHome, NEIGHBOR_ADDRESS, SLOW_LINK } from "./home.ts";
import { describeLink, differences, factsOf, type LinkState, readLink } from "./link-state.ts";
import type { Narrator } from "./narrator.ts";
import type { ContainerRequest, DemoPod, DemoRuntime, RuntimeDirectories } from "./runtime/runtime.ts";
import { runSelf } from "./self.ts";

export interface StoryParts {
  readonly narrator: Narrator;
  readonly kernel: Kernel;
  readonly runtime: DemoRuntime;
  /** The namespace at the far end of the cables. */
  readonly neighbor: HeldNetns;
  readonly directories: RuntimeDirectories & { readonly claimsDir: string; readonly sysfsRoot: string };
  /** Starts the agent with these arguments after `run`. */
  readonly startAgent: () => AgentProcess;
  /** Mount points of the demo's own that pods have made. */
  readonly podMounts: () => readonly string[];
}

const CONTAINER: ContainerRequest = { name: "app", devices: [CLAIM_DEVICE], ping: [NEIGHBOR_ADDRESS, FAR_ADDRESS] };

/** Resolves when every step held; rejects with the reason of the first that did not, which has been told. */
export async function playStory(parts: StoryParts): Promise<void> {
  const { narrator } = parts;
  await narrator.say("The life of a claim, in network namespaces of its own: nothing else on this machine is touched.");
  await narrator.say();
  const before = await makeHost(parts);
  await showDevices(parts);
  const agent = await startAgent(parts, "netferry run --standalone: the agent joins the container runtime by NRI");
  await writeClaim(parts, agent);
  const stranger = await refuseEarly(parts);
  const pod = await startPod(parts);
  await ping(parts, pod, "a container that names the claim starts, and reaches the neighbour through it");
  await crash(parts, agent, pod);
  await refuseStranger(
    parts,
    stranger,
    "meanwhile another pod's container is refused: the device is not in its pod",
    "/proc/sys/net/",
  );
  const next = await restartAgent(parts, pod, stranger);
  await endPods(parts, [pod, stranger], before);
  await leaveNothing(parts, next);
  await narrator.say();
  await narrator.say(`Every step held. It took ${narrator.elapsedSeconds} s.`);
}

function makeHost({ narrator, kernel, neighbor }: StoryParts): Promise<LinkState> {
  return narrator.step(`a host with two links, ${FAST_LINK} and ${SLOW_LINK}, cabled to a neighbour`, async (show) => {
    await makeHome(kernel, neighbor);
    const state = await requireLink(kernel, "host", FAST_LINK);
    show(describeLink(state));
    return state;
  });
}

function showDevices({ narrator, directories }: StoryParts): Promise<void> {
  return narrator.step("netferry devices: what can be claimed here", async (show) => {
    const { code, stdout, stderr } = await runSelf(["devices", "--filter=", "--sysfs-root", directories.sysfsRoot]);
    const isComplete = code === 0 && [FAST_LINK, SLOW_LINK].every((ifname) => stdout.includes(ifname));
    insist(isComplete, `the table lacks a link: ${stderr || stdout}`);
    show(stdout);
  });
}

function startAgent(
  { narrator, runtime, startAgent: start }: StoryParts,
  title: string,
  check: () => Promise<void> = async () => undefined,
): Promise<AgentProcess> {
  return narrator.step(title, async (show) => {
    const startMs = performance.now();
    const agent = start();
    await Promise.all([runtime.nri.connected, agent.logged("registered with the runtime")]);
    show(`process ${agent.pid}, ready after ${Math.round(performance.now() - startMs)} ms`);
    await check();
    return agent;
  });
}

function writeClaim({ narrator, directories }: StoryParts, agent: AgentProcess): Promise<void> {
  return narrator.step("a class and a claim, as files: the agent finds the device that fits", async (show) => {
    const path = join(directories.claimsDir, "claim.yaml");
    writeFileSync(`${path}.new`, CLAIM_YAML);
    renameSync(`${path}.new`, path);
    const { claim, devices } = await agent.logged("claim bound");
    insist(JSON.stringify(devices) === JSON.stringify([FAST_LINK]), `claim ${claim} was bound to ${devices}`);
    show(CLAIM_YAML);
    show(`-> claim ${claim} has device ${devices}`);
  });
}

function refuseEarly({ narrator, runtime }: StoryParts): Promise<DemoPod> {
  return narrator.step("no container that names the claim starts before the device is in its pod", async (show) => {
    const stranger = await runtime.startPod("other");
    show(await refusal(runtime.runContainer(stranger, CONTAINER), "unresolvable CDI devices"));
    return stranger;
  });
}

function startPod({ narrator, kernel, runtime }: StoryParts): Promise<DemoPod> {
  return narrator.step(`pod web claims ${CLAIM_NAME}: the device moves in and is configured`, async (show) => {
    const pod = await runtime.startPod("web", POD_ANNOTATIONS);
    const state = await podLink(kernel, pod);
    const { snapshot, routes } = state;
    show(describeLink(state));
    const addresses = snapshot.addresses.filter(({ family }) => family === "ipv4");
    const isAddressed = addresses.map((at) => `${at.local}/${at.prefixLength}`).join() === POD_ADDRESS;
    insist(isAddressed, `${POD_LINK} does not have the address ${POD_ADDRESS} alone`);
    insist(snapshot.link.mtu === POD_MTU, `the MTU of ${POD_LINK} is not ${POD_MTU}`);
    const isRouted = routes.some((at) => at.destination === FAR_NETWORK && at.gateway === NEIGHBOR_ADDRESS);
    insist(isRouted, `${POD_LINK} has no route to ${FAR_NETWORK}`);
    insist((await readLink(kernel, "host", FAST_LINK)) === undefined, `${FAST_LINK} is still on the host`);
    return pod;
  });
}

function ping({ narrator, runtime }: StoryParts, pod: DemoPod, title: string): Promise<void> {
  return narrator.step(title, async (show) => show(describePings(await runtime.runContainer(pod, CONTAINER))));
}

function crash({ narrator, kernel, runtime }: StoryParts, agent: AgentProcess, pod: DemoPod): Promise<void> {
  return narrator.step("kill -9 for the agent: the pod keeps its device and restarts its container", async (show) => {
    const before = await podLink(kernel, pod);
    await agent.kill();
    await settled("the runtime does not see that the agent is gone", async () =>
      runtime.nri.isConnected ? [`process ${agent.pid}`] : [],
    );
    show(describePings(await runtime.runContainer(pod, CONTAINER)));
    unchanged(before, await podLink(kernel, pod));
  });
}

function refuseStranger(
  { narrator, runtime }: StoryParts,
  stranger: DemoPod,
  title: string,
  why: string,
): Promise<void> {
  return narrator.step(title, async (show) => show(await refusal(runtime.runContainer(stranger, CONTAINER), why)));
}

async function restartAgent(parts: StoryParts, pod: DemoPod, stranger: DemoPod): Promise<AgentProcess> {
  const before = await podLink(parts.kernel, pod);
  const agent = await startAgent(parts, "the agent starts again, and knows which device is where", async () =>
    unchanged(before, await podLink(parts.kernel, pod)),
  );
  await refuseStranger(
    parts,
    stranger,
    "the other pod's container is refused again, now with the reason",
    "belongs to pod",
  );
  await ping(parts, pod, "the claiming pod's container starts once more");
  return agent;
}

function endPods(
  { narrator, kernel, runtime }: StoryParts,
  pods: readonly DemoPod[],
  before: LinkState,
): Promise<void> {
  return narrator.step("the pods end: the device is at home, every fact of it as it was", async (show) => {
    for (const pod of pods) await runtime.stopPod(pod);
    let now: LinkState | undefined;
    await settled(`${FAST_LINK} is not as it was`, async () => {
      now = await readLink(kernel, "host", FAST_LINK);
      return differences(before, now);
    });
    show(now === undefined ? [] : describeLink(now));
    show(`${factsOf(before).length} facts compared: link, addresses, routes, neighbours, sysctls`);
  });
}

function leaveNothing({ narrator, directories, podMounts }: StoryParts, agent: AgentProcess): Promise<void> {
  return narrator.step("nothing is left behind: no receipt, no namespace, no mount, no process", async () => {
    const code = await agent.stop();
    insist(code === 0, `the agent ended with code ${code}`);
    const left = [directories.cdiDir, directories.netnsDir].flatMap((directory) =>
      readdirSync(directory).map((name) => join(directory, name)),
    );
    insist(left.length === 0, `there are still ${left.join(", ")}`);
    insist(podMounts().length === 0, `there are still mounts: ${podMounts().join(", ")}`);
  });
}
