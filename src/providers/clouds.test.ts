import { describe, expect, test } from "bun:test";
import { type FakeCloud, MetadataService } from "../../test/fakes/metadata-service.ts";
import type { CloudName } from "../config/providers.ts";
import type { Cloud, DeviceView } from "./cloud.ts";
import { ExchangeError } from "./exchange.ts";
import { readCloud } from "./read-cloud.ts";
import type { MetadataCloud } from "./services.ts";

const signal = new AbortController().signal;
const NAMES: Readonly<Record<FakeCloud, MetadataCloud>> = {
  gce: "GCE",
  aws: "AWS",
  azure: "AZURE",
  oke: "OKE",
  alibaba: "ALIBABA",
};

function read(cloud: FakeCloud, service: MetadataService): Promise<Cloud> {
  const config = {
    cloudProviderHint: NAMES[cloud],
    cloudProviderOptions: { [cloud]: { endpoint: service.url } },
    profileProvider: "none",
    webhookUrl: "",
  } as const;
  return readCloud(NAMES[cloud] satisfies CloudName, { config }, signal);
}

function view(over: Partial<DeviceView> = {}): DeviceView {
  return { name: "eth1", isVirtual: false, ...over };
}

describe("GCE", () => {
  test("tells the host's place, and of each interface what its MAC address leads to", async () => {
    using service = new MetadataService("gce");
    const cloud = await read("gce", service);
    expect(cloud.attributes(view({ mac: "42:01:0a:80:00:46" }))).toEqual({
      "gce.dra.net/machineType": { string: "a3-highgpu-8g" },
      "gce.dra.net/block": { string: "CLUSTER_ID" },
      "gce.dra.net/subBlock": { string: "0123456789abcdef0123456789abcdef" },
      "gce.dra.net/host": { string: "0011223344556677" },
      "gce.dra.net/ipAliases": { string: "10.24.3.0/24" },
      "gce.dra.net/networkName": { string: "default" },
      "gce.dra.net/networkProjectNumber": { int: 628944397724 },
    });
    expect(cloud.attributes(view({ mac: "42:01:c0:a8:01:02" }))).toMatchObject({
      "gce.dra.net/networkName": { string: "rdma-1" },
    });
    expect(Object.keys(cloud.attributes(view()))).toHaveLength(4);
    expect(cloud.lacks?.(view({ mac: "42:01:c0:a8:01:02" }))).toBe(false);
    expect(cloud.lacks?.(view({ mac: "42:01:c0:a8:01:03" }))).toBe(true);
  });

  test("knows an interface by its permanent address when the link has another, and goes without a place", async () => {
    using service = new MetadataService("gce");
    service.answers.delete("/computeMetadata/v1/instance/attributes/physical_host");
    const cloud = await read("gce", service);
    expect(cloud.attributes(view({ mac: "02:00:00:00:00:01", permanentMac: "42:01:c0:a8:01:02" }))).toEqual({
      "gce.dra.net/machineType": { string: "a3-highgpu-8g" },
      "gce.dra.net/networkName": { string: "rdma-1" },
      "gce.dra.net/networkProjectNumber": { int: 628944397724 },
    });
  });

  test("drops whole alias ranges that have no room", async () => {
    using service = new MetadataService("gce");
    const ipAliases = Array.from({ length: 9 }, (_, i) => `10.100.${i}.0/24`);
    service.answers.set("/computeMetadata/v1/instance/network-interfaces/?recursive=true&alt=json", [
      { mac: "42:01:0a:80:00:46", network: "none", ipAliases },
    ]);
    const attributes = (await read("gce", service)).attributes(view({ mac: "42:01:0a:80:00:46" }));
    expect(attributes["gce.dra.net/ipAliases"]).toEqual({ string: ipAliases.slice(0, 4).join(",") });
    expect(attributes["gce.dra.net/networkName"]).toBeUndefined();
  });
});

describe("AWS", () => {
  const efa = (pciAddress: string) => view({ pciAddress, driver: "efa" });

  test("gives EFA devices the groups of the Neuron devices that they are connected to", async () => {
    using service = new MetadataService("aws");
    const cloud = await read("aws", service);
    const first = cloud.attributes(efa("0000:10:1a.0"));
    expect(first["resource.aws.com/devicegroup1_id"]).toEqual({ string: "0000:10:1a.0" });
    // `printf 0000:10:1a.0,0000:a0:1a.0 | sha256sum | cut -c 1-16`: Neuron devices 0 to 3.
    expect(first["resource.aws.com/devicegroup4_id"]).toEqual({ string: "88a3c6ad1661fe1d" });
    const second = cloud.attributes(efa("0000:a0:1a.0"));
    const third = cloud.attributes(efa("0000:20:19.0"));
    const last = cloud.attributes(efa("0000:a0:19.0"));
    for (const [size, mates, strangers] of [
      [4, [second], [third, last]],
      [8, [second, third], [last]],
      [16, [second, third, last], []],
    ] as const) {
      const name = `resource.aws.com/devicegroup${size}_id`;
      for (const mate of mates) expect(mate[name]).toEqual(first[name]);
      for (const stranger of strangers) expect(stranger[name]).not.toEqual(first[name]);
    }
    expect(service.asked[0]).toBe("PUT /latest/api/token");
  });

  test("gives none to another driver, to an unknown device and on another instance type", async () => {
    using service = new MetadataService("aws");
    const cloud = await read("aws", service);
    expect(cloud.attributes(view({ pciAddress: "0000:10:1a.0", driver: "ena" }))).toEqual({});
    expect(cloud.attributes(efa("0000:00:05.0"))).toEqual({});
    service.answers.set("/latest/dynamic/instance-identity/document", { instanceType: "p5.48xlarge" });
    expect((await read("aws", service)).attributes(efa("0000:10:1a.0"))).toEqual({});
  });
});

describe("Azure", () => {
  const first = view({ mac: "00:11:aa:ff:bb:22" });
  const second = view({ mac: "00:0d:3a:5b:6c:7d" });
  const noGateway = { gateway6: async () => undefined, signal };

  test("tells size and groups of the machine, and the subnet of an interface", async () => {
    using service = new MetadataService("azure");
    const cloud = await read("azure", service);
    expect(cloud.attributes(first)).toEqual({
      "azure.dra.net/placementGroupId": { string: "f67c14ab-e92c-408c-ae2d-da15866ec79a" },
      "azure.dra.net/vmSize": { string: "Standard_A3" },
      "azure.dra.net/ipv4Subnet": { string: "10.144.133.128/26" },
    });
    expect(cloud.attributes(view())["azure.dra.net/ipv4Subnet"]).toBeUndefined();
    const [path = "", compute] = [...service.answers].find(([path]) => path.includes("/compute")) ?? [];
    service.answers.set(path, { ...Object(compute), interconnectGroupId: "group", interconnectSubgroupId: "rack-3" });
    expect((await read("azure", service)).attributes(view())).toMatchObject({
      "azure.dra.net/interconnectGroupId": { string: "group" },
      "azure.dra.net/interconnectSubgroupId": { string: "rack-3" },
    });
  });

  test("routes what comes from an interface's addresses by that interface, in a table of its own", async () => {
    using service = new MetadataService("azure");
    const cloud = await read("azure", service);
    expect(await cloud.config?.(first, noGateway)).toEqual({
      rules: [{ source: "10.144.133.128/26", table: 100 }],
      routes: [{ destination: "0.0.0.0/0", gateway: "10.144.133.129", table: 100 }],
    });
    expect(await cloud.config?.(second, { gateway6: async () => "fe80::1234:5678:9abc", signal })).toEqual({
      rules: [
        { source: "10.9.255.0/24", table: 101 },
        { source: "ace:cab:deca::5/128", table: 101 },
      ],
      routes: [
        { destination: "0.0.0.0/0", gateway: "10.9.255.1", table: 101 },
        { destination: "::/0", gateway: "fe80::1234:5678:9abc", table: 101 },
      ],
    });
    expect(await cloud.config?.(second, noGateway)).toEqual({
      rules: [{ source: "10.9.255.0/24", table: 101 }],
      routes: [{ destination: "0.0.0.0/0", gateway: "10.9.255.1", table: 101 }],
    });
    expect(await cloud.config?.(view({ mac: "02:00:00:00:00:01" }), noGateway)).toBeUndefined();
  });

  test("asks for the IPv6 gateway only where there is an address to route, and passes over what is no subnet", async () => {
    using service = new MetadataService("azure");
    service.answers.set("/metadata/instance/network?api-version=2025-11-11&format=json", {
      interface: [
        {
          macAddress: "00-11-AA-FF-BB-22",
          ipv4: {
            subnet: [
              { address: "10.0.0.5", prefix: "24" },
              { address: "", prefix: "" },
              { address: "10.8.0.0", prefix: "31" },
            ],
          },
          ipv6: { ipAddress: [{ privateIpAddress: "fe80::5" }, { privateIpAddress: "" }] },
        },
      ],
    });
    const cloud = await read("azure", service);
    const gateway6 = async () => {
      throw new Error("asked for nothing");
    };
    expect(await cloud.config?.(first, { gateway6, signal })).toBeUndefined();
    expect(cloud.attributes(first)["azure.dra.net/ipv4Subnet"]).toBeUndefined();
  });
});

describe("OKE", () => {
  test("tells the host's place by the last parts of OCIDs", async () => {
    using service = new MetadataService("oke");
    const cloud = await read("oke", service);
    expect(cloud.attributes(view())).toEqual({
      "oke.dra.net/hpcIslandId": { string: "a".repeat(60) },
      "oke.dra.net/networkBlockId": { string: "b".repeat(60) },
      "oke.dra.net/localBlockId": { string: "c".repeat(60) },
      "oke.dra.net/rackId": { string: "0b1c2d3e4f" },
    });
    const customerGpuMemoryFabric = `ocid1.computegpumemoryfabric.oc1.phx.${"d".repeat(60)}`;
    service.answers.set("/opc/v2/host/", { rdmaTopologyData: { customerGpuMemoryFabric } });
    expect((await read("oke", service)).attributes(view())).toEqual({
      "oke.dra.net/gpuMemoryFabricId": { string: "d".repeat(60) },
    });
  });

  test("goes without where the tenancy has no topology", async () => {
    using service = new MetadataService("oke");
    service.answers.delete("/opc/v2/host/");
    expect((await read("oke", service)).attributes(view())).toEqual({});
  });
});

describe("Alibaba", () => {
  test("tells the instance type, and which devices are eRDMA's", async () => {
    using service = new MetadataService("alibaba");
    const cloud = await read("alibaba", service);
    expect(cloud.attributes(view())).toEqual({ "alibaba.dra.net/instanceType": { string: "ecs.g6e.large" } });
    expect(cloud.attributes(view({ driver: "erdma" }))).toMatchObject({ "alibaba.dra.net/erdma": { bool: true } });
    expect(service.asked).toEqual(["PUT /latest/api/token", "GET /latest/meta-data/instance/instance-type"]);
  });
});

test("CKS: labels of the Node, and the leaf switch by RDMA device", async () => {
  // https://docs.coreweave.com/products/networking/hpc-interconnect/infiniband-roce-labels
  const labels = {
    "cks.coreweave.com/cluster": "c",
    "backend.coreweave.cloud/flavor": "infiniband",
    "backend.coreweave.cloud/fabric": "f1",
    "backend.coreweave.cloud/neighbors.expected.ibp0.device": "leaf-7",
    "node.coreweave.cloud/rack": "12",
    "backend.coreweave.cloud/superpod": "s2",
    "backend.coreweave.cloud/leafgroup": "4",
    "backend.coreweave.cloud/leafgroup-name": "lg4",
    "backend.coreweave.cloud/speed.current": "400G",
    "backend.coreweave.cloud/speed.expected": "400G",
    "node.kubernetes.io/instance-type": "gd-8xh100ib-i128",
  };
  const config = {
    cloudProviderHint: "CKS",
    cloudProviderOptions: {},
    profileProvider: "none",
    webhookUrl: "",
  } as const;
  const cloud = await readCloud("CKS", { config, nodeLabels: async () => labels }, signal);
  expect(cloud.attributes(view({ rdmaDevice: "ibp0" }))).toEqual({
    "coreweave.dra.net/fabricFlavor": { string: "infiniband" },
    "coreweave.dra.net/fabric": { string: "f1" },
    "coreweave.dra.net/rack": { string: "12" },
    "coreweave.dra.net/superpod": { string: "s2" },
    "coreweave.dra.net/leafgroup": { string: "4" },
    "coreweave.dra.net/leafgroupName": { string: "lg4" },
    "coreweave.dra.net/speedCurrent": { string: "400G" },
    "coreweave.dra.net/speedExpected": { string: "400G" },
    "coreweave.dra.net/instanceType": { string: "gd-8xh100ib-i128" },
    "coreweave.dra.net/leafSwitch": { string: "leaf-7" },
  });
  expect(cloud.attributes(view({ rdmaDevice: "ibp1" }))["coreweave.dra.net/leafSwitch"]).toBeUndefined();
});

describe.each(["gce", "aws", "azure", "oke", "alibaba"] as const)("%s", (name) => {
  test("says which question was refused, or had an answer that cannot be read", async () => {
    using service = new MetadataService(name);
    service.refuses = 503;
    const refused = await read(name, service).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ExchangeError);
    expect(String(refused)).toMatch(/GET \/.* at http:\/\/127\.0\.0\.1:\d+ answered 503$/);
    if (name === "alibaba") return; // its answer is any text
    service.refuses = undefined;
    for (const path of service.answers.keys()) service.answers.set(path, "<html>captive portal</html>");
    const wrong = await read(name, service).catch((error: unknown) => error);
    expect(String(wrong)).toMatch(
      /GET \/.* at http:\/\/127\.0\.0\.1:\d+: the answer is not what this cloud documents$/,
    );
  });
});
