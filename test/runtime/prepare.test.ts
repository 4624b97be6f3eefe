/** The kubelet's calls: what Prepare refuses and with which words, and what may be asked twice. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Stored } from "../fakes/object-store.ts";
import { hasLink, ip, uniqueName } from "../lab/links.ts";
import { DRIVER, NODE, type TestNode } from "../lab/node.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";
import { refusal } from "../lab/refusal.ts";
import { type ClaimRef, Kubelet } from "../lab/runtime/kubelet.ts";

const TEST_LIMIT_MS = 60_000;
const CLAIMS = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
const PODS = "/api/v1/namespaces/default/pods";

describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  const at = nodeForTests({ suite, agent: {} });
  let ifname: string;
  beforeEach(() => {
    ifname = at.links.vethToPeer().ifname;
  });
  afterEach(async () => {
    at.node.api.intercept = () => undefined;
    expect(await at.agent.metric('dranet_driver_devices{state="prepared"}')).toBe(0);
    expect(await at.agent.metric('dranet_driver_devices{state="attached"}')).toBe(0);
  });

  const newClaim = (options: Partial<Parameters<TestNode["claim"]>[1]> = {}) =>
    at.node.claim(uniqueName("prep"), { devices: ifname, config: { interface: { name: "net1" } }, ...options });

  function change(collection: string, name: string, edit: (object: Stored) => void): void {
    const object = at.node.api.store.get(`${collection}/${name}`);
    if (object === undefined) throw new Error(`there is no ${collection}/${name}`);
    edit(object);
    at.node.api.store.replace(collection, object);
  }

  describe("Prepare refuses", () => {
    interface Case {
      readonly spoil?: (claim: ClaimRef) => void;
      /** What the kubelet asks with; default: the claim as it is. */
      readonly asked?: (claim: ClaimRef) => ClaimRef;
      readonly words: (claim: ClaimRef) => string;
    }
    const cases: Readonly<Record<string, Case>> = {
      "a claim that is reserved for several pods": {
        spoil: ({ name }) => {
          change(CLAIMS, name, ({ status }) => {
            const reserved = status?.["reservedFor"] as object[];
            reserved.push({ resource: "pods", name: "second", uid: crypto.randomUUID() });
          });
        },
        words: ({ name }) =>
          `claim default/${name} is reserved for 2 pods, ${name} and second among them: a network device is in one pod at a time, give each pod its own claim`,
      },
      "a claim that is reserved for no pod": {
        spoil: ({ name }) => {
          change(CLAIMS, name, (claim) => {
            claim.status = { ...claim.status, reservedFor: [] };
          });
        },
        words: ({ name }) => `claim default/${name} is reserved for no pod`,
      },
      "a claim that is reserved for something else than a pod": {
        spoil: ({ name }) => {
          change(CLAIMS, name, (claim) => {
            const consumer = { apiGroup: "batch", resource: "jobs", name: "j", uid: crypto.randomUUID() };
            claim.status = { ...claim.status, reservedFor: [consumer] };
          });
        },
        words: ({ name }) => `claim default/${name} is reserved for a jobs and not for a pod`,
      },
      "a pod in the host's network": {
        spoil: ({ name }) => {
          change(PODS, name, (pod) => {
            pod.spec = { ...pod.spec, hostNetwork: true };
          });
        },
        words: ({ name }) =>
          `pod default/${name} uses the host's network, where only character devices can be given to it: unset hostNetwork`,
      },
      "admin access": {
        spoil: ({ name }) => {
          change(CLAIMS, name, ({ status }) => {
            for (const result of allocationOf(status).results) result["adminAccess"] = true;
          });
        },
        words: ({ name }) => `claim default/${name} asks for ${ifname} with adminAccess`,
      },
      "a claim that was replaced by another of the same name": {
        asked: (claim) => ({ ...claim, uid: "11111111-2222-3333-4444-555555555555" }),
        words: ({ name, uid }) =>
          `claim default/${name} was replaced: the kubelet asks for UID 11111111-2222-3333-4444-555555555555, the API server has ${uid}`,
      },
      "a claim that is not allocated": {
        spoil: ({ name }) => {
          change(CLAIMS, name, (claim) => {
            claim.status = {};
          });
        },
        words: ({ name }) => `claim default/${name} is not allocated`,
      },
      "a claim that does not exist": {
        spoil: ({ name }) => {
          at.node.api.store.remove(CLAIMS, name);
        },
        words: ({ name }) => `claim default/${name} does not exist any more`,
      },
      "a claim of a pod that does not exist": {
        spoil: ({ name }) => {
          at.node.api.store.remove(PODS, name);
        },
        words: ({ name }) => `which claim default/${name} is reserved for, does not exist any more`,
      },
      "a device that is not on the node": {
        spoil: () => {
          ip("link", "del", ifname);
        },
        words: () => `device ${ifname} of request nic is not on this node any more: see \`netferry devices\``,
      },
      "a configuration that is wrong": {
        spoil: ({ name }) => {
          change(CLAIMS, name, ({ status }) => {
            allocationOf(status).config = [
              { source: "FromClaim", opaque: { driver: DRIVER, parameters: { interface: { mut: 9 } } } },
            ];
          });
        },
        words: () => "interface.mut",
      },
    };
    test.each(Object.entries(cases))(
      "%s",
      async (_, { spoil, asked, words }) => {
        const claim = newClaim();
        spoil?.(claim);
        expect(await refusal(at.node.kubelet.prepare(asked?.(claim) ?? claim))).toContain(words(claim));
      },
      TEST_LIMIT_MS,
    );

    test(
      "a pod whose runtime handler is not served, and takes one whose handler is",
      async () => {
        const classes = "/apis/node.k8s.io/v1/runtimeclasses";
        for (const [name, handler] of [
          ["kata", "kata-qemu"],
          ["plain", "runc"],
        ] as const)
          at.node.api.store.add(classes, {
            apiVersion: "node.k8s.io/v1",
            kind: "RuntimeClass",
            metadata: { name },
            handler,
          });
        const inClass = (runtimeClassName: string) => {
          const claim = newClaim();
          change(PODS, claim.name, (pod) => {
            pod.spec = { ...pod.spec, runtimeClassName };
          });
          return claim;
        };
        const kata = inClass("kata");
        expect(await refusal(at.node.kubelet.prepare(kata))).toContain(
          `pod default/${kata.name} runs with the handler kata-qemu of RuntimeClass kata, which is not in --runtime-handlers`,
        );
        // Where RuntimeClasses may not be read, the name of the class has to do.
        at.node.api.intercept = ({ path }) =>
          path.startsWith(classes) ? { status: 403, body: { reason: "Forbidden", message: "no" } } : undefined;
        expect(await refusal(at.node.kubelet.prepare(inClass("gvisor")))).toContain(
          "the handler gvisor of RuntimeClass",
        );
        at.node.api.intercept = () => undefined;
        const plain = inClass("plain");
        expect(await at.node.kubelet.prepare(plain)).toHaveLength(1);
        await at.node.kubelet.unprepare(plain);
      },
      TEST_LIMIT_MS,
    );

    test(
      "a device of a pod that runs, by the name of its holder, until that pod has ended",
      async () => {
        const holder = newClaim();
        const { pod } = await at.node.kubelet.startPod({ name: holder.name, uid: holder.podUid, claims: [holder] });
        const other = newClaim();
        expect(await refusal(at.node.kubelet.prepare(other))).toContain(
          `device ${ifname} is still held by claim default/${holder.name} of pod default/${holder.name}, which runs with it: delete that pod first`,
        );
        expect(hasLink(ifname)).toBe(false);
        // Its Unprepare has not come yet, but the device is at home: nobody has it any more.
        await at.node.pods.stop(pod);
        await at.node.pods.remove(pod);
        expect(await at.node.kubelet.prepare(other)).toHaveLength(1);
        await at.node.kubelet.unprepare(holder);
        await at.node.kubelet.unprepare(other);
      },
      TEST_LIMIT_MS,
    );

    test(
      "every claim while no runtime is connected, and none once it is back",
      async () => {
        const claim = newClaim();
        await at.node.lab.restart({
          meanwhile: async () => {
            expect(await refusal(at.node.kubelet.prepare(claim))).toContain(
              `netferry is not registered with the container runtime (NRI socket ${at.node.lab.nriSocket}): a sandbox that starts now would not get its devices`,
            );
            expect(await at.agent.readyz()).toContain("[-] runtime");
          },
        });
        await at.agent.ready();
        expect(await at.node.kubelet.prepare(claim)).toHaveLength(1);
        await at.node.kubelet.unprepare(claim);
      },
      TEST_LIMIT_MS,
    );
  });

  test(
    "Prepare may be asked again, also twice at once and when the device is in the pod",
    async () => {
      const claim = newClaim();
      const [first, second] = await Promise.all([at.node.kubelet.prepare(claim), at.node.kubelet.prepare(claim)]);
      const answer = {
        requestNames: ["nic"],
        poolName: NODE,
        deviceName: ifname,
        cdiDeviceIds: [`netferry.dev/${DRIVER}=${claim.uid}-nic`],
      };
      expect(first).toMatchObject([answer]);
      expect(second).toMatchObject([answer]);
      const { pod, containerId } = await at.node.kubelet.startPod({
        name: claim.name,
        uid: claim.podUid,
        claims: [claim],
      });
      const linkInPod = async () => (await at.node.pods.exec(containerId, "ip", "-o", "link", "show", "net1")).stdout;
      const before = await linkInPod();
      expect(before).toContain("net1");
      expect(await Promise.all([at.node.kubelet.prepare(claim), at.node.kubelet.prepare(claim)])).toMatchObject([
        [answer],
        [answer],
      ]);
      expect(await linkInPod()).toBe(before);
      expect(await at.agent.metric('dranet_driver_devices{state="attached"}')).toBe(1);
      await at.node.kubelet.endPod(pod, [claim]);
      expect(hasLink(ifname)).toBe(true);
    },
    TEST_LIMIT_MS,
  );

  test(
    "Prepare serves a pod that may not be read, and does without the names of its containers",
    async () => {
      const claim = newClaim();
      at.node.api.intercept = ({ path }) =>
        path.startsWith(PODS) ? { status: 403, body: { reason: "Forbidden", message: "no" } } : undefined;
      const { pod, containerId } = await at.node.kubelet.startPod({
        name: claim.name,
        uid: claim.podUid,
        claims: [claim],
      });
      expect((await at.node.pods.exec(containerId, "ip", "link", "show", "net1")).stdout).toContain("net1");
      await at.node.kubelet.endPod(pod, [claim]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "Unprepare brings the device home when the pod was never stopped, and may be asked again",
    async () => {
      const claim = newClaim();
      const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
      await at.node.kubelet.unprepare(claim);
      expect(hasLink(ifname)).toBe(true);
      await at.node.kubelet.unprepare(claim);
      await at.node.pods.stop(pod);
      await at.node.pods.remove(pod);
    },
    TEST_LIMIT_MS,
  );

  test(
    "Unprepare answers an error while the device cannot come home, so that nobody else gets it, and then brings it home",
    async () => {
      const altname = uniqueName("alt");
      ip("link", "property", "add", "dev", ifname, "altname", altname);
      const claim = newClaim();
      const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
      // The kernel lets no link into a namespace where one of its names is taken.
      const other = at.links.vethToPeer().ifname;
      ip("link", "property", "add", "dev", other, "altname", altname);
      await at.node.pods.stop(pod);
      await at.node.pods.remove(pod);
      expect(await refusal(at.node.kubelet.unprepare(claim))).toContain("EEXIST");
      expect(hasLink(ifname)).toBe(false);
      expect(await refusal(at.node.kubelet.prepare(newClaim()))).toContain(`device ${ifname}`);
      ip("link", "property", "del", "dev", other, "altname", altname);
      await at.node.kubelet.unprepare(claim);
      expect(ip("link", "show", "dev", ifname)).toContain(`altname ${altname}`);
    },
    TEST_LIMIT_MS,
  );

  test(
    "Unprepare of a claim that nobody knows succeeds",
    async () => {
      await at.node.kubelet.unprepare({ namespace: "default", name: "stranger", uid: crypto.randomUUID() });
    },
    TEST_LIMIT_MS,
  );

  test(
    "a kubelet that knows v1beta1 alone takes a claim through its life",
    async () => {
      using kubelet = new Kubelet({
        lab: at.node.lab,
        rootDir: join(at.node.dir, "kubelet"),
        supportedVersions: ["v1beta1.DRAPlugin"],
      });
      await kubelet.register(DRIVER);
      const claim = newClaim();
      const { pod, containerId, cdiDevices } = await kubelet.startPod({
        name: claim.name,
        uid: claim.podUid,
        claims: [claim],
      });
      expect(cdiDevices).toEqual([`netferry.dev/${DRIVER}=${claim.uid}-nic`]);
      expect((await at.node.pods.exec(containerId, "ip", "link", "show", "net1")).stdout).toContain("net1");
      expect(await refusal(kubelet.prepare({ ...claim, uid: "other" }))).toContain("was replaced");
      await kubelet.endPod(pod, [claim]);
      expect(hasLink(ifname)).toBe(true);
    },
    TEST_LIMIT_MS,
  );

  test(
    "Unprepare works from the store alone: without the claim's object, and without the API server",
    async () => {
      const claim = newClaim();
      const { pod } = await at.node.kubelet.startPod({ name: claim.name, uid: claim.podUid, claims: [claim] });
      at.node.api.store.remove(CLAIMS, claim.name);
      at.node.api.store.remove(PODS, claim.name);
      const asked = at.node.api.seen.length;
      await at.node.api[Symbol.asyncDispose](); // and so this test is the last
      await at.node.kubelet.endPod(pod, [claim]);
      expect(hasLink(ifname)).toBe(true);
      expect(at.node.api.seen.slice(asked)).toEqual([]);
      expect(await refusal(at.node.kubelet.prepare(claim))).toContain("cannot reach https://127.0.0.1");
    },
    TEST_LIMIT_MS,
  );
});

interface Devices {
  readonly results: Record<string, unknown>[];
  config: unknown[];
}

/** `status.allocation.devices` of a claim. */
function allocationOf(status: Stored["status"] = {}): Devices {
  const { devices } = status["allocation"] as { devices: Devices };
  return devices;
}
