/** A webhook as IPAM: a profile's address is in the pod, and given back when the claim is gone, whatever fails meanwhile. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../fakes/eventually.ts";
import type { Agent } from "../lab/agent.ts";
import { uniqueName } from "../lab/links.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";
import { refusal } from "../lab/refusal.ts";
import { StandaloneNode } from "../lab/standalone-node.ts";
import { PythonWebhook } from "../lab/webhook.ts";

const START_LIMIT_MS = 180_000;
const TEST_LIMIT_MS = 60_000;
const GET = "/GetProfileConfig";
const RELEASE = "/ReleaseProfileConfig";
const PENDING = "dranet_driver_profile_releases_pending";
const FAILURES = "dranet_driver_profile_release_failures_total";

const at = nodeForTests();
let webhook: PythonWebhook;
afterEach(() => webhook[Symbol.asyncDispose](), TEST_LIMIT_MS);

function startAgent(): Promise<Agent> {
  return at.node.agent({ args: ["--profile-provider=webhook", `--webhook-url=${webhook.url}`] });
}

function newClaim(profile = "pool-a") {
  const ifname = at.links.vethToPeer().ifname;
  const claim = at.node.claim(uniqueName("ipam"), {
    devices: ifname,
    config: { profile, interface: { name: "net1", mtu: 1400 } },
  });
  return { ifname, claim };
}

async function inPod(containerId: string): Promise<string> {
  const addresses = await at.node.pods.exec(containerId, "ip", "-4", "addr", "show", "net1");
  const routes = await at.node.pods.exec(containerId, "ip", "-4", "route", "show");
  return `${addresses.stdout}${routes.stdout}`;
}

describe.each(["unix", "http"] as const)("over %s", (kind) => {
  beforeEach(async () => {
    webhook = await PythonWebhook.start(kind === "unix" ? join(at.node.dir, `${uniqueName("w")}.sock`) : undefined);
  });

  test(
    "the pod has the profile's address and route under the claim's own settings, and the address is released",
    async () => {
      const agent = await startAgent();
      const { ifname, claim } = newClaim();
      const { pod, containerId } = await at.node.kubelet.startPod({
        name: claim.name,
        uid: claim.podUid,
        claims: [claim],
      });
      const seen = await inPod(containerId);
      expect(seen).toContain("inet 10.66.0.10/24");
      expect(seen).toContain("10.67.0.0/16 via 10.66.0.1 dev net1");
      expect(seen).toContain("mtu 1400");
      const [asked] = webhook.requests.filter(({ path }) => path === GET);
      expect(asked?.body).toMatchObject({
        device: { name: ifname },
        claim_uid: claim.uid,
        config: { profile: "pool-a", interface: { name: "net1", mtu: 1400 } },
        claim: {
          metadata: { name: claim.name, namespace: "default", uid: claim.uid },
          status: { reservedFor: [{ resource: "pods", name: claim.name, uid: claim.podUid }] },
        },
      });
      expect(webhook.leases).toBe(1);
      await at.node.kubelet.endPod(pod, [claim]);
      await eventually("it is released", () => webhook.statuses(RELEASE).length === 1);
      const { claim: _, ...held } = asked?.body ?? {};
      expect(webhook.requests.at(-1)).toMatchObject({ body: held, leases: 0 });
      await eventually("nothing is pending", async () => (await agent.metric(PENDING)) === 0);
      expect(agent.log.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
    },
    TEST_LIMIT_MS,
  );
});

describe("a release that fails", () => {
  beforeEach(async () => {
    webhook = await PythonWebhook.start(join(at.node.dir, `${uniqueName("w")}.sock`));
  });

  test(
    "does not keep the claim from being unprepared, is told once, counted, and done in the end",
    async () => {
      const agent = await startAgent();
      const { claim } = newClaim();
      await at.node.kubelet.prepare(claim);
      await webhook.fail(RELEASE, 500, 503);
      await at.node.kubelet.unprepare(claim);
      await eventually("two tries failed", () => webhook.statuses(RELEASE).length === 2);
      expect(await agent.metric(PENDING)).toBe(1);
      await eventually("the third did not", async () => (await agent.metric(PENDING)) === 0, 10_000);
      expect(webhook.statuses(RELEASE)).toEqual([500, 503, 200]);
      expect(webhook.leases).toBe(0);
      expect(await agent.metric(FAILURES)).toBe(2);
      const said = agent.log.filter(({ message }) => message.startsWith("profile "));
      expect(said.map(({ level, message }) => `${level} ${message}`)).toEqual([
        "warn profile not released yet; it is tried until it is",
        "info profile released after all",
      ]);
      expect(JSON.stringify(said[0])).toContain(`POST ${RELEASE} at ${webhook.url} answered 500`);
    },
    TEST_LIMIT_MS,
  );

  test(
    "is done by the next agent when this one is killed",
    async () => {
      const first = await startAgent();
      const { claim } = newClaim();
      await at.node.kubelet.prepare(claim);
      await webhook.fail(RELEASE, 500, 500);
      await at.node.kubelet.unprepare(claim);
      await eventually("the first try failed", () => webhook.statuses(RELEASE).length === 1);
      await first.kill();
      expect(webhook.leases).toBe(1);
      const second = await startAgent();
      await eventually("it is released", () => webhook.leases === 0, 10_000);
      expect(webhook.statuses(RELEASE)).toEqual([500, 500, 200]);
      await eventually("nothing is pending", async () => (await second.metric(PENDING)) === 0);
    },
    TEST_LIMIT_MS,
  );
});

describe("Prepare", () => {
  beforeEach(async () => {
    webhook = await PythonWebhook.start(join(at.node.dir, `${uniqueName("w")}.sock`));
  });

  test(
    "is refused with the webhook's words, can be asked again, and leases one address however often it is",
    async () => {
      await startAgent();
      const { ifname, claim } = newClaim();
      await webhook.fail(GET, 409);
      expect(await refusal(at.node.kubelet.prepare(claim))).toContain(
        `claim default/${claim.name}, device ${ifname}: device ${ifname}: POST ${GET} at ${webhook.url} answered 409 ({"error": "as the test wants"}); the webhook's log should say why`,
      );
      await at.node.kubelet.prepare(claim);
      await at.node.kubelet.prepare(claim);
      expect(webhook.leases).toBe(1);
      await at.node.kubelet.unprepare(claim);
      await eventually("it is released", () => webhook.leases === 0);
    },
    TEST_LIMIT_MS,
  );

  test(
    "of an unknown profile is refused, and its Unprepare has nothing to release",
    async () => {
      await startAgent();
      const { claim } = newClaim("pool-z");
      expect(await refusal(at.node.kubelet.prepare(claim))).toContain("answered 404");
      await at.node.kubelet.unprepare(claim);
      expect(webhook.statuses(RELEASE)).toEqual([]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "of a profile that is not complete without a program is refused, by its name, and the address is given back",
    async () => {
      await startAgent();
      const { claim } = newClaim("pool-hook");
      expect(await refusal(at.node.kubelet.prepare(claim))).toContain(
        `the webhook at ${webhook.url} wants /opt/example/bin/authorize to run when a container of the pod is created, and netferry adds no programs to containers: have its /GetRuntimeHook answer null for this profile`,
      );
      expect(webhook.statuses("/GetRuntimeHook")).toEqual([200]);
      await at.node.kubelet.unprepare(claim);
      await eventually("it is released", () => webhook.leases === 0 && webhook.statuses(RELEASE).length === 1);
    },
    TEST_LIMIT_MS,
  );

  test(
    "that failed after the address was leased gives it back at Unprepare",
    async () => {
      const agent = await startAgent();
      const { ifname, claim } = newClaim();
      const other = at.node.claim(uniqueName("ipam"), { devices: ifname, config: { interface: { name: "net1" } } });
      await at.node.kubelet.prepare(other);
      const pod = await at.node.pods.run({ name: other.name, uid: other.podUid });
      expect(await refusal(at.node.kubelet.prepare(claim))).toContain("is still held by claim");
      expect(webhook.leases).toBe(1);
      await at.node.kubelet.unprepare(claim);
      await eventually("it is released", () => webhook.leases === 0);
      await at.node.kubelet.endPod(pod, [other]);
      expect(await agent.metric(PENDING)).toBe(0);
    },
    TEST_LIMIT_MS,
  );

  test(
    "without anybody who knows profiles says how to have one",
    async () => {
      await at.node.agent();
      const { claim } = newClaim();
      expect(await refusal(at.node.kubelet.prepare(claim))).toContain(
        "nobody here knows profiles: run netferry with --profile-provider=webhook and --webhook-url, or leave the field profile out",
      );
    },
    TEST_LIMIT_MS,
  );
});

describe("on a node without a cluster", () => {
  let edge: StandaloneNode;
  beforeAll(async () => {
    edge = await StandaloneNode.start({ suite: "sid" });
  }, START_LIMIT_MS);
  afterAll(() => edge[Symbol.asyncDispose](), TEST_LIMIT_MS);
  beforeEach(async () => {
    webhook = await PythonWebhook.start();
  });

  test(
    "a pod has the profile's address, and it is released when the pod has ended or cannot have its device",
    async () => {
      const agent = await edge.agent({ args: ["--profile-provider=webhook", `--webhook-url=${webhook.url}`] });
      const { ifname } = at.links.vethToPeer();
      const name = uniqueName("edge");
      edge.writeClass("v");
      edge.writeClaim({ name, ifname, config: { profile: "pool-a", interface: { name: "net1" } } });
      await agent.logged((line) => line.message === "claim bound" && line["claim"] === `default/${name}`);
      const pod = await edge.pods.run({ name, annotations: { "netferry.dev/claims": name } });
      const containerId = await edge.pods.launch(pod, { name: "main", cdiDevices: [`netferry.dev/claim=${name}`] });
      expect((await edge.pods.exec(containerId, "ip", "-4", "addr", "show", "net1")).stdout).toContain("10.66.0.10/24");
      await edge.pods.stop(pod);
      await edge.pods.remove(pod);
      await eventually("it is released", () => webhook.statuses(RELEASE).length === 1 && webhook.leases === 0);

      await webhook.fail(GET, 500);
      const second = await edge.pods.run({ name: `${name}-2`, annotations: { "netferry.dev/claims": name } });
      await eventually("what was asked for is given back", () => webhook.statuses(RELEASE).length === 2);
      await edge.pods.stop(second);
      await edge.pods.remove(second);
      await edge.stopAgents();
    },
    TEST_LIMIT_MS,
  );
});
