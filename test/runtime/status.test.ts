/** What the cluster is told of a claim: conditions and networkData on the claim, warnings as events. */

import { expect, test } from "bun:test";
import { parseClaim } from "../../src/kube/claims.ts";
import type { KubeEvent } from "../../src/kube/client/wire.ts";
import { eventually } from "../fakes/eventually.ts";
import { hasLink, uniqueName } from "../lab/links.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";
import { refusal } from "../lab/refusal.ts";
import type { ClaimRef } from "../lab/runtime/kubelet.ts";

const TEST_LIMIT_MS = 60_000;
/** After the API server is back: the longest pause between two tries, and what the writes take. */
const BACK_LIMIT_MS = 20_000;

const at = nodeForTests({ agent: {} });

const CONFIG = {
  interface: { name: "net1", addresses: ["10.74.0.9/24", "fd74:0::9/64"], hardwareAddr: "02:00:00:74:00:09" },
};
const IN_THE_POD = {
  interfaceName: "net1",
  hardwareAddress: "02:00:00:74:00:09",
  ips: ["10.74.0.9/24", "fd74::9/64"],
};

test(
  "a claim says what its device is in the pod, and nothing once it is unprepared, in four requests",
  async () => {
    const claim = at.node.claim(uniqueName("status"), { devices: at.links.vethToPeer().ifname, config: CONFIG });
    const seen = at.node.api.seen.length;
    const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
    await shows(claim, "Ready=True NetworkReady=True AttachedLate=False");
    expect(devicesOf(claim)).toMatchObject([{ driver: "dra.net", pool: "test-node", networkData: IN_THE_POD }]);
    await at.node.kubelet.endPod(pod, [claim]);
    await shows(claim, "");
    const requests = at.node.api.seen.slice(seen).filter(({ path }) => path.includes(claim.name));
    const resource = (path: string) => path.split("/default/")[1]?.replace(claim.name, "NAME");
    expect(requests.map(({ method, path }) => `${method} ${resource(path)}`)).toEqual([
      "GET resourceclaims/NAME",
      "GET pods/NAME",
      "PATCH resourceclaims/NAME/status",
      "PATCH resourceclaims/NAME/status",
    ]);
    expect(eventsOf(claim)).toEqual([]);
  },
  TEST_LIMIT_MS,
);

test(
  "a device that cannot be attached says why, on the claim and as an event on the pod",
  async () => {
    const parent = at.links.vethToPeer().ifname;
    const ifname = uniqueName("m");
    at.links.run(["link", "add", ifname, "link", parent, "type", "macvlan", "mode", "bridge"], ["link", "del", ifname]);
    // More than its parent can carry, which only the kernel knows.
    const claim = at.node.claim(uniqueName("status"), { devices: ifname, config: { interface: { mtu: 9000 } } });
    const [prepared] = await at.node.kubelet.prepare(claim);
    const pod = await at.node.pods.run({ name: claim.name, uid: claim.podUid });
    await shows(claim, "Ready=False NetworkReady=False");
    const [ready] = devicesOf(claim)[0]?.conditions ?? [];
    expect(ready).toMatchObject({ reason: "AttachFailed" });
    expect(ready?.message).toStartWith(`cannot attach ${ifname} of claim default/${claim.name} to pod`);
    expect(devicesOf(claim)[0]).not.toHaveProperty("networkData");
    const cdiDevices = prepared?.cdiDeviceIds ?? [];
    expect(await refusal(at.node.pods.launch(pod, { name: "main", cdiDevices }))).toContain("unresolvable CDI devices");

    await eventually("the pod has the event", () => eventsOf(claim).length === 1);
    expect(eventsOf(claim)).toMatchObject([
      {
        type: "Warning",
        reason: "NetworkDeviceAttachFailed",
        message: ready?.message,
        involvedObject: { kind: "Pod", name: claim.name, uid: claim.podUid },
        source: { component: "dra.net", host: "test-node" },
      },
    ]);
    await at.node.kubelet.endPod(pod, [claim]);
    await shows(claim, "");
    expect(hasLink(ifname)).toBe(true);
  },
  TEST_LIMIT_MS,
);

test(
  "a claim that cannot be prepared has an event that says why",
  async () => {
    const claim = at.node.claim(uniqueName("status"), { devices: "no-such-device", config: CONFIG });
    const answer = await refusal(at.node.kubelet.prepare(claim));
    await refusal(at.node.kubelet.prepare(claim));
    await eventually("the claim has the event", () => eventsOf(claim).length > 0);
    expect(eventsOf(claim)).toMatchObject([
      {
        reason: "ClaimPrepareFailed",
        involvedObject: { apiVersion: "resource.k8s.io/v1", kind: "ResourceClaim", name: claim.name, uid: claim.uid },
      },
    ]);
    expect(answer).toContain(eventsOf(claim)[0]?.message ?? "no message");
  },
  TEST_LIMIT_MS,
);

test(
  "what happened while the API server was away is said once it is back, and only the outcome",
  async () => {
    const [first, second] = ["10.74.1.9/24", "10.74.2.9/24"].map((address) =>
      at.node.claim(uniqueName("status"), {
        devices: at.links.vethToPeer().ifname,
        config: { interface: { name: "net1", addresses: [address] } },
      }),
    ) as [Claim, Claim];
    for (const claim of [first, second]) await at.node.kubelet.prepare(claim);
    const version = at.node.api.store.version;
    await at.node.api.goAway();
    const run = (claim: Claim) => at.node.pods.run({ name: claim.name, uid: claim.podUid });
    const startedMs = performance.now();
    const pods = [await run(first), await run(second)] as const;
    for (const pod of pods) await at.node.pods.launch(pod, { name: "other" });
    expect(performance.now() - startedMs).toBeLessThan(10_000); // nothing waited for the API server
    await at.agent.logged((line) => line.message.startsWith("claim status cannot be written"));
    await at.node.kubelet.endPod(pods[0], [first]);
    await at.node.api.comeBack();
    await shows(second, "Ready=True NetworkReady=True AttachedLate=False", BACK_LIMIT_MS);
    expect(devicesOf(second)[0]?.networkData?.ips).toEqual(["10.74.2.9/24"]);
    expect(devicesOf(first)).toEqual([]);
    const writes = at.node.api.store.since(version)?.filter(({ object }) => object.kind === "ResourceClaim");
    expect(writes?.map(({ object }) => object.metadata.name)).toEqual([second.name]);
    await at.node.kubelet.endPod(pods[1], [second]);
    await shows(second, "");
  },
  TEST_LIMIT_MS,
);

test(
  "a device that came late says so; a restart of the agent writes nothing anew",
  async () => {
    const claim = at.node.claim(uniqueName("status"), { devices: at.links.vethToPeer().ifname, config: CONFIG });
    await at.node.kubelet.prepare(claim);
    await at.agent.kill();
    const pod = await at.node.pods.run({ name: claim.name, uid: claim.podUid });
    expect(devicesOf(claim)).toEqual([]);
    await at.nextAgent();
    await shows(claim, "Ready=True NetworkReady=True AttachedLate=True");
    expect(devicesOf(claim)[0]?.networkData).toEqual(IN_THE_POD);
    await eventually("the pod has the event", () => eventsOf(claim).length === 1);
    expect(eventsOf(claim)[0]).toMatchObject({ reason: "DeviceAttachedLate", involvedObject: { kind: "Pod" } });

    const before = devicesOf(claim);
    await at.agent.stop();
    const seen = at.node.api.seen.length;
    await at.nextAgent();
    const ofClaim = () => at.node.api.seen.slice(seen).filter(({ path }) => path.includes(claim.name));
    await eventually("the new agent has read the claim", () => ofClaim().length > 0);
    await at.agent.settled();
    expect(ofClaim().map(({ method }) => method)).toEqual(["GET"]);
    expect(devicesOf(claim)).toEqual(before);
    await at.node.kubelet.endPod(pod, [claim]);
    await shows(claim, "");
  },
  TEST_LIMIT_MS,
);

type Claim = ClaimRef & { readonly podUid: string };

function devicesOf({ name }: ClaimRef) {
  const claim = at.node.api.store.get(`/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/${name}`);
  return parseClaim(claim, "dra.net").devices;
}

/** Waits until the claim's only device has these conditions, or until there is no device for "". */
async function shows(claim: ClaimRef, conditions: string, limitMs?: number): Promise<void> {
  const shown = () =>
    devicesOf(claim)
      .map((device) => device.conditions.map(({ type, status }) => `${type}=${status}`).join(" "))
      .join("; ");
  await eventually(`${claim.name} shows ${conditions || "nothing"}`, () => shown() === conditions, limitMs);
}

/** Events on the claim or its pod, which have one name here. */
function eventsOf({ name }: ClaimRef): readonly KubeEvent[] {
  const events = at.node.api.store.list("/api/v1/namespaces/default/events") as unknown as readonly KubeEvent[];
  return events.filter(({ involvedObject }) => involvedObject.name === name);
}
