/** Clouds: a metadata service that is silent delays nothing, and what a cloud knows is published and in the pod. */

import { expect, test } from "bun:test";
import type { AttributeValue } from "../../src/inventory/device.ts";
import { eventually } from "../fakes/eventually.ts";
import { type FakeCloud, MetadataService } from "../fakes/metadata-service.ts";
import { ip, uniqueName } from "../lab/links.ts";
import { nodeForTests } from "../lab/node-for-tests.ts";

const TEST_LIMIT_MS = 60_000;
const SLICES = "/apis/resource.k8s.io/v1/resourceslices";
const CLOUDS: readonly FakeCloud[] = ["gce", "aws", "azure", "oke", "alibaba"];

const at = nodeForTests();

function macOf(ifname: string): string {
  const [shown] = JSON.parse(ip("-json", "link", "show", "dev", ifname)) as { readonly address: string }[];
  if (shown === undefined) throw new Error(`${ifname} is not there`);
  return shown.address;
}

/** As the API server has them; `undefined` when the device is in no slice. */
function published(device: string): Readonly<Record<string, AttributeValue>> | undefined {
  const devices = at.node.api.store.list(SLICES).flatMap(({ spec }) => (spec?.["devices"] ?? []) as PublishedDevice[]);
  return devices.find(({ name }) => name === device)?.attributes;
}

interface PublishedDevice {
  readonly name: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** Arguments that send the questions for every cloud to this service. */
function allAt(service: MetadataService): readonly string[] {
  return CLOUDS.map((cloud) => `--cloud-provider-options=${cloud}.endpoint=${service.url}`);
}

test(
  "an agent whose cloud says nothing is ready and publishes; what it then says is published at once",
  async () => {
    using service = new MetadataService("gce");
    service.isSilent = true;
    const { ifname } = at.links.vethToPeer();
    service.answers.set("/computeMetadata/v1/instance/network-interfaces/?recursive=true&alt=json", [
      { mac: macOf(ifname), network: "projects/628944397724/networks/rdma-1" },
    ]);
    const agent = await at.node.agent({
      args: ["--cloud-provider-hint=GCE", `--cloud-provider-options=gce.endpoint=${service.url}`],
    });
    await eventually(`${ifname} is published`, () => published(ifname) !== undefined);
    expect(published(ifname)?.["gce.dra.net/networkName"]).toBeUndefined();
    await eventually("the cloud was asked", () => service.asked.length > 0);
    service.speak();
    const name = "gce.dra.net/networkName";
    await eventually("the attribute is published", () => published(ifname)?.[name] !== undefined, 15_000);
    expect(published(ifname)).toMatchObject({
      [name]: { string: "rdma-1" },
      "gce.dra.net/machineType": { string: "a3-highgpu-8g" },
      "dra.net/ifName": { string: ifname },
    });
    const asked = service.asked.length;
    await agent.settled();
    expect(service.asked).toHaveLength(asked);
  },
  TEST_LIMIT_MS,
);

test(
  "an agent that looks for its cloud where nobody answers is ready, publishes and prepares meanwhile",
  async () => {
    using service = new MetadataService("aws");
    service.isSilent = true;
    const { ifname } = at.links.vethToPeer();
    const agent = await at.node.agent({ args: ["--cloud-provider-hint=", ...allAt(service)] });
    await eventually(`${ifname} is published`, () => published(ifname) !== undefined);
    const claim = at.node.claim(uniqueName("cloud"), { devices: ifname, config: { interface: { name: "net1" } } });
    await at.node.kubelet.prepare(claim);
    await at.node.kubelet.unprepare(claim);
    expect(service.asked.length).toBeGreaterThanOrEqual(CLOUDS.length);
    expect(agent.log.some(({ message }) => message.startsWith("looked for a cloud"))).toBe(false);
  },
  TEST_LIMIT_MS,
);

test(
  "an interface of Azure has its rules and its table in the pod, under what the claim says",
  async () => {
    using service = new MetadataService("azure");
    const { ifname } = at.links.vethToPeer();
    service.answers.set("/metadata/instance/network?api-version=2025-11-11&format=json", {
      interface: [
        { macAddress: "000D3A000001", ipv4: { subnet: [{ address: "10.65.0.0", prefix: "24" }] } },
        {
          macAddress: macOf(ifname).replaceAll(":", "").toUpperCase(),
          ipv4: {
            ipAddress: [{ privateIpAddress: "10.66.1.4", publicIpAddress: "" }],
            subnet: [{ address: "10.66.1.0", prefix: "24" }],
          },
          ipv6: { ipAddress: [] },
        },
      ],
    });
    await at.node.agent({ args: ["--cloud-provider-hint=", ...allAt(service)] });
    await eventually("it is known to be Azure", () => published(ifname)?.["azure.dra.net/vmSize"] !== undefined);
    expect(published(ifname)?.["azure.dra.net/ipv4Subnet"]).toEqual({ string: "10.66.1.0/24" });
    const claim = at.node.claim(uniqueName("azure"), {
      devices: ifname,
      config: {
        interface: { name: "net1", addresses: ["10.66.1.4/24"] },
        rules: [{ source: "10.66.2.0/24", table: 300 }],
      },
    });
    const { pod, containerId } = await at.node.kubelet.startPod({
      name: claim.name,
      uid: claim.podUid,
      claims: [claim],
    });
    const inPod = async (...command: string[]) => (await at.node.pods.exec(containerId, ...command)).stdout;
    const rules = await inPod("ip", "rule");
    expect(rules).toContain("from 10.66.1.0/24 lookup 101");
    expect(rules).toContain("from 10.66.2.0/24 lookup 300");
    expect(await inPod("ip", "route", "show", "table", "101")).toContain("default via 10.66.1.1 dev net1");
    await at.node.kubelet.endPod(pod, [claim]);
  },
  TEST_LIMIT_MS,
);
