/** Device metadata files (KEP-5304) in containers of a real runtime. */

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { HostLinks, uniqueName } from "../lab/links.ts";
import { DRIVER, NODE } from "../lab/node.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";
import { StandaloneNode } from "../lab/standalone-node.ts";

const START_LIMIT_MS = 180_000; // the first start fetches packages
const TEST_LIMIT_MS = 60_000;
const RELEASED = "/var/run/kubernetes.io/dra-device-attributes";
const KEP = "/var/run/dra-device-attributes";

describe.each(["sid", "trixie"] as const)("containerd of %s", (suite) => {
  const at = nodeForTests({ suite, agent: {} });

  const filesDir = () => join(at.node.dir, "kubelet/plugins", DRIVER, "dra-device-metadata");
  const read = async (containerId: string, path: string) => (await at.node.pods.exec(containerId, "cat", path)).stdout;
  const found = async (containerId: string) => {
    const { stdout } = await at.node.pods.exec(containerId, "find", RELEASED, KEP, "-type", "f");
    return stdout.trim().split("\n").toSorted();
  };

  test(
    "a container reads what its requests got at both paths, cannot write it, and sees no other request's",
    async () => {
      const [a, b] = [at.links.vethToPeer().ifname, at.links.vethToPeer().ifname];
      const config = { interface: { name: "net1", addresses: ["10.76.0.9/24"], hardwareAddr: "02:00:00:00:76:09" } };
      const claim = at.node.claim(uniqueName("meta"), { devices: { a, b }, configs: { a: config } });
      const { pod, containerId, cdiDevices } = await at.node.kubelet.startPod({
        name: claim.name,
        uid: claim.podUid,
        claims: [claim],
      });
      const path = (request: string) => `${claim.name}/${request}/${DRIVER}-metadata.json`;
      expect(await found(containerId)).toEqual(
        ["a", "b"]
          .flatMap((request) => [`${RELEASED}/resourceclaims/${path(request)}`, `${KEP}/${path(request)}`])
          .toSorted(),
      );
      const text = await read(containerId, `${RELEASED}/resourceclaims/${path("a")}`);
      expect(await read(containerId, `${KEP}/${path("a")}`)).toBe(text);
      const [first, second] = text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(second).toEqual({ ...first, apiVersion: "metadata.resource.k8s.io/v1alpha1" });
      expect(first).toMatchObject({
        kind: "DeviceMetadata",
        apiVersion: "metadata.resource.k8s.io/v1beta1",
        metadata: { name: claim.name, namespace: "default", uid: claim.uid, generation: 1 },
        requests: [
          {
            name: "a",
            devices: [
              {
                driver: DRIVER,
                pool: NODE,
                name: a,
                attributes: { "dra.net/ifName": { string: a }, "dra.net/type": { string: "veth" } },
                networkData: { interfaceName: "net1", ips: ["10.76.0.9/24"], hardwareAddress: "02:00:00:00:76:09" },
              },
            ],
          },
        ],
      });
      // What the file says of the link is what the pod's own tools say of it.
      const shown = await at.node.pods.exec(
        containerId,
        "ip",
        "addr",
        "show",
        first.requests[0].devices[0].networkData.interfaceName,
      );
      expect(shown.stdout).toContain("10.76.0.9/24");
      expect(shown.stdout).toContain("02:00:00:00:76:09");
      const written = await at.node.pods.exec(containerId, "sh", "-c", `echo >>${KEP}/${path("a")}`);
      expect([written.exitCode, written.stderr]).toEqual([1, expect.stringContaining("Read-only file system")]);

      const ofB = cdiDevices.filter((id) => id.endsWith("-b"));
      const other = await at.node.pods.launch(pod, { name: "other", cdiDevices: ofB });
      expect(await found(other)).toEqual([`${KEP}/${path("b")}`, `${RELEASED}/resourceclaims/${path("b")}`].toSorted());
      const bystander = await at.node.pods.launch(pod, { name: "bystander" });
      expect(await found(bystander)).toEqual([""]);

      expect(readdirSync(filesDir())).toEqual([claim.uid]);
      await at.node.pods.stop(pod);
      expect(existsSync(filesDir())).toBe(false);
      await at.node.kubelet.endPod(pod, [claim]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "a claim of a template has its file under the name that the pod gives it",
    async () => {
      const claim = at.node.claim(uniqueName("meta"), {
        devices: at.links.vethToPeer().ifname,
        annotations: { "resource.kubernetes.io/pod-claim-name": "net" },
      });
      const { pod, containerId } = await at.node.kubelet.startPod({
        name: claim.name,
        uid: claim.podUid,
        claims: [claim],
      });
      const released = `${RELEASED}/resourceclaimtemplates/net/nic/${DRIVER}-metadata.json`;
      expect(await found(containerId)).toEqual([`${KEP}/net/nic/${DRIVER}-metadata.json`, released].toSorted());
      const [first] = (await read(containerId, released))
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect([first.metadata.name, first.podClaimName]).toEqual([claim.name, "net"]);
      await at.node.kubelet.endPod(pod, [claim]);
    },
    TEST_LIMIT_MS,
  );
});

test(
  "without a kubelet the files stand in a folder of the CDI directory, which the runtime does not search",
  async () => {
    await using node = await StandaloneNode.start({ suite: "sid" });
    using links = new HostLinks();
    const { ifname } = links.vethToPeer();
    node.writeClass("v");
    node.writeClaim({ name: "edge", ifname });
    const agent = await node.agent();
    await agent.logged((line) => line.message === "claim bound");
    const pod = await node.pods.run({ name: uniqueName("edge"), annotations: { "netferry.dev/claims": "edge" } });
    const containerId = await node.pods.launch(pod, { name: "main", cdiDevices: ["netferry.dev/claim=edge"] });
    const path = `${RELEASED}/resourceclaims/edge/nic/${DRIVER}-metadata.json`;
    const { stdout } = await node.pods.exec(containerId, "cat", path);
    expect(existsSync(join(node.lab.cdiDir, "netferry-metadata"))).toBe(true);
    expect(JSON.parse(stdout.split("\n")[0] ?? "").requests[0].devices[0].name).toBe(ifname);
    await node.pods.stop(pod);
    await node.pods.remove(pod);
    expect(readdirSync(node.lab.cdiDir)).toEqual([]);
  },
  START_LIMIT_MS,
);
