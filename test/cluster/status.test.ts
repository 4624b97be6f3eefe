/** What a real API server makes of our conditions, networkData and events. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { RequestCounter } from "../lab/cluster/requests.ts";
import { until } from "../lab/cluster/wait.ts";
import { byName, claim, claimTemplate, pod } from "../lab/cluster/workload.ts";
import { uniqueName } from "../lab/links.ts";
import { isHome, NetferryLab, netConfig } from "./netferry-lab.ts";
import { RELEASE } from "./release.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;
const STATUS_LIMIT_MS = 60_000;
/** Longer than a status that is under way is held back. */
const QUIET_MS = 4_000;

/** From Kubernetes 1.36 on, whose entries a writer of status.devices changes is checked too. */
const HAS_DRIVER_CHECK = Number(RELEASE.split(".")[1]) >= 36;

const ATTACHED = ["Ready=True", "NetworkReady=True", "AttachedLate=False"];

let lab: NetferryLab;

beforeAll(async () => {
  lab = await NetferryLab.start();
}, START_LIMIT_MS);
afterAll(() => lab[Symbol.asyncDispose](), LIMIT_MS);

test(
  "a running pod's claim says what its two devices are there; once the pod is gone, nothing",
  async () => {
    const links = [await lab.macvlan(), await lab.macvlan()] as const;
    const name = uniqueName("status");
    const requests = { one: byName(links[0].ifname), two: byName(links[1].ifname) };
    await lab.workload.create(claim(name, { requests }), pod(name, { claims: { net: name } }));
    await lab.workload.podReady(name);
    await shows(name, ATTACHED, 2);
    const yaml = await lab.cluster.kubectl(["get", "resourceclaim", name, "-o", "yaml", "--show-managed-fields"]);
    for (const text of ["manager: dra.net", "type: Ready", "networkData:", `interfaceName: ${links[0].ifname}`])
      expect(yaml).toContain(text);
    for (const { ifname, home } of links) {
      const device = (await lab.workload.claim(name)).status?.devices?.find((other) => other.device === ifname);
      expect(device?.networkData).toEqual({
        interfaceName: ifname,
        ips: [home],
        hardwareAddress: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/) as unknown as string,
      });
    }
    const written = await reports();
    await lab.workload.deletePods(name);
    for (const link of links) await isHome(link);
    await shows(name, [], 0);
    await lab.workload.deleteClaims(name);
    expect(written).toEqual([]);
    expect(await reports()).toEqual([]);
  },
  LIMIT_MS,
);

test(
  "a pod with a claim of its own costs the API server at most five requests of ours, two of them writes",
  async () => {
    const link = await lab.macvlan();
    const name = uniqueName("cost");
    await lab.workload.create(claimTemplate(name, { requests: { nic: byName(link.ifname) } }));
    const life = async (each: string) => {
      await lab.workload.create(pod(each, { claims: { net: { template: name } } }));
      const { status } = await lab.workload.podReady(each);
      await shows(status.resourceClaimStatuses?.[0]?.resourceClaimName ?? "", ATTACHED, 1);
      await lab.workload.deletePods(each);
      await isHome(link);
    };
    const counter = await RequestCounter.start(lab.workload);
    const counts = async () => {
      await life(`${name}-first`);
      return (await counter.count()).reads > 0;
    };
    await until("the API server counts our requests", counts, STATUS_LIMIT_MS);
    const before = await settled(counter);
    for (const each of [`${name}-1`, `${name}-2`]) await life(each);
    const after = await settled(counter);
    expect({ reads: after.reads - before.reads, writes: after.writes - before.writes }).toEqual({
      reads: 4,
      writes: 4,
    });
  },
  LIMIT_MS,
);

test(
  "a device that cannot be attached: why stands in the claim's condition and in kubectl describe pod",
  async () => {
    const link = await lab.macvlan();
    const name = uniqueName("status");
    const tooMuch = { interface: { name: "net1", mtu: 9000 } };
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: tooMuch }),
      pod(name, { claims: { net: name } }),
    );
    await shows(name, ["Ready=False", "NetworkReady=False"], 1);
    const [device] = (await lab.workload.claim(name)).status?.devices ?? [];
    expect(device?.conditions?.[0]?.message).toContain(`cannot attach ${link.ifname} of claim default/${name}`);
    await until(
      "the event is there",
      async () => (await eventsOf(name, "NetworkDeviceAttachFailed")) > 0,
      STATUS_LIMIT_MS,
    );
    const described = await lab.cluster.kubectl(["describe", "pod", name]);
    expect(described).toMatch(/Warning +NetworkDeviceAttachFailed .* dra\.net +cannot attach/);
    await lab.workload.deletePods(name);
    await isHome(link);
    await shows(name, [], 0);
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "a claim that cannot be prepared: why stands in kubectl describe resourceclaim",
  async () => {
    const link = await lab.macvlan();
    const name = uniqueName("status");
    const tooLittle = { interface: { name: "net1", mtu: 12 } };
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: tooLittle }),
      pod(name, { claims: { net: name } }),
    );
    await until("the event is there", async () => (await eventsOf(name, "ClaimPrepareFailed")) > 0, STATUS_LIMIT_MS);
    const described = await lab.cluster.kubectl(["describe", "resourceclaim", name]);
    expect(described).toMatch(/Warning +ClaimPrepareFailed .* dra\.net +.*interface\.mtu/);
    expect(await eventsOf(name, "ClaimPrepareFailed")).toBe(1);
    await lab.workload.deletePods(name);
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "the API server and the agent start anew under a running pod: nothing of its claim is written anew",
  async () => {
    const link = await lab.macvlan();
    const name = uniqueName("status");
    await lab.workload.create(
      claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
      pod(name, { claims: { net: name } }),
    );
    await lab.workload.podReady(name);
    await shows(name, ATTACHED, 1);
    const before = (await lab.workload.claim(name)).status?.devices;
    await lab.netferry.stop();
    await lab.cluster.parts.apiserver.restart();
    await lab.netferry.start();
    // Nothing changed, so nothing is written: the conditions keep their times.
    expect((await lab.workload.claim(name)).status?.devices).toEqual(before);
    await lab.workload.deletePods(name);
    await isHome(link);
    await shows(name, [], 0);
    await lab.workload.deleteClaims(name);
  },
  LIMIT_MS,
);

test(
  "without its permissions the agent says which are missing, once, and pods run all the same",
  async () => {
    const role = await lab.cluster.api.json<ClusterRole>(ROLE);
    const isOurs = ({ resources }: ClusterRole["rules"][number]) =>
      resources.some((resource) => ["resourceclaims/status", "resourceclaims/driver", "events"].includes(resource));
    const without = { ...role, rules: role.rules.filter((rule) => !isOurs(rule)) };
    expect(without.rules.length).toBe(role.rules.length - 3);
    for (const keep of ["nothing", ...(HAS_DRIVER_CHECK ? ["resourceclaims/status"] : [])]) {
      const kept = role.rules.filter(({ resources }) => resources.includes(keep));
      await putRole({ ...without, rules: [...without.rules, ...kept] });
      await lab.netferry.restart();
      const link = await lab.macvlan();
      const name = uniqueName("status");
      await lab.workload.create(
        claim(name, { requests: { nic: byName(link.ifname) }, config: netConfig(link) }),
        pod(name, { claims: { net: name } }),
      );
      await lab.workload.podReady(name);
      const refused = async () => (await reports()).map((line) => JSON.stringify(line));
      await until("it is said", async () => (await refused()).length > 0, STATUS_LIMIT_MS);
      const [line, ...more] = await refused();
      expect(more).toEqual([]);
      expect(line).toContain("patch on resourceclaims/status");
      expect(line).toContain(keep === "nothing" ? "cannot patch resource" : "associated-node:patch");
      await lab.workload.deletePods(name);
      await isHome(link);
      await lab.workload.deleteClaims(name);
    }
    await putRole(role);
  },
  LIMIT_MS,
);

const ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/netferry";

interface ClusterRole {
  readonly metadata: object;
  readonly rules: readonly { readonly resources: readonly string[] }[];
}

async function putRole(role: ClusterRole): Promise<void> {
  const rules = { rules: role.rules };
  const contentType = "application/merge-patch+json";
  await lab.cluster.api.json(ROLE, { method: "PATCH", contentType, body: rules });
}

/** Waits until each of the claim's devices has these conditions. */
async function shows(name: string, conditions: readonly string[], devices: number): Promise<void> {
  const shown = async () =>
    ((await lab.workload.claim(name)).status?.devices ?? []).map((device) =>
      (device.conditions ?? []).map(({ type, status }) => `${type}=${status}`).sort(),
    );
  const wanted = Array.from({ length: devices }, () => conditions.toSorted());
  await until(`${name} shows ${conditions}`, async () => Bun.deepEquals(await shown(), wanted), STATUS_LIMIT_MS);
}

/** What is written after a pod's end is written within a moment: the count that stays. */
async function settled(counter: RequestCounter) {
  let last = await counter.count();
  let sameSinceMs = performance.now();
  const isSettled = async () => {
    const now = await counter.count();
    if (!Bun.deepEquals(now, last)) sameSinceMs = performance.now();
    last = now;
    return performance.now() - sameSinceMs > QUIET_MS;
  };
  await until("the agent is quiet", isSettled, STATUS_LIMIT_MS);
  return last;
}

async function eventsOf(name: string, reason: string): Promise<number> {
  return (await lab.workload.events(name)).filter((event) => event.reason === reason).length;
}

/** What the writers of status and events complained of. */
async function reports() {
  return (await lab.netferry.log()).filter((line) => line["part"] === "reports" && line.level !== "debug");
}
