/**
 * A metadata service on loopback that answers with the documented examples of a cloud, and that a test can make slow,
 * refusing or wrong. What a page shows as placeholders (`****`) is filled in; the fields are the page's.
 */

interface Documented {
  /** The public page that shows the answers. */
  readonly page: string;
  /** Header without which the service refuses. */
  readonly requires?: readonly [name: string, value: string];
  /** Where a PUT gives the token that `requires` then names. */
  readonly tokenPath?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** By path with its query. */
  readonly answers: Readonly<Record<string, string | object>>;
}

const TOKEN = "AQAEAKtdDPOE";

export const DOCUMENTED = {
  gce: {
    page: "https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys and https://cloud.google.com/compute/docs/instances/use-compact-placement-policies",
    requires: ["metadata-flavor", "Google"],
    headers: { "metadata-flavor": "Google" },
    answers: {
      "/": "computeMetadata/\n",
      "/computeMetadata/v1/instance/machine-type": "projects/628944397724/machineTypes/a3-highgpu-8g",
      "/computeMetadata/v1/instance/attributes/physical_host":
        "/CLUSTER_ID/0123456789abcdef0123456789abcdef/0011223344556677",
      "/computeMetadata/v1/instance/network-interfaces/?recursive=true&alt=json": [
        {
          accessConfigs: [{ externalIp: "35.225.164.134", type: "ONE_TO_ONE_NAT" }],
          dnsServers: ["169.254.169.254"],
          forwardedIps: [],
          gateway: "10.128.0.1",
          ip: "10.128.0.70",
          ipAliases: ["10.24.3.0/24"],
          mac: "42:01:0a:80:00:46",
          mtu: 1460,
          network: "projects/628944397724/networks/default",
          subnetmask: "255.255.240.0",
          targetInstanceIps: [],
        },
        {
          ip: "192.168.1.2",
          ipAliases: [],
          mac: "42:01:c0:a8:01:02",
          network: "projects/628944397724/networks/rdma-1",
        },
      ],
    },
  },
  aws: {
    page: "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/retrieve-iid.html",
    requires: ["x-aws-ec2-metadata-token", TOKEN],
    tokenPath: "/latest/api/token",
    answers: {
      "/latest/dynamic/instance-identity/document": {
        devpayProductCodes: null,
        marketplaceProductCodes: ["1abc2defghijklm3nopqrs4tu"],
        availabilityZone: "us-west-2b",
        privateIp: "10.158.112.84",
        version: "2017-09-30",
        instanceId: "i-1234567890abcdef0",
        billingProducts: null,
        instanceType: "trn1.32xlarge",
        accountId: "123456789012",
        imageId: "ami-5fb8c835",
        pendingTime: "2016-11-19T16:32:11Z",
        architecture: "x86_64",
        kernelId: null,
        ramdiskId: null,
        region: "us-west-2",
      },
    },
  },
  azure: {
    page: "https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service",
    requires: ["metadata", "true"],
    answers: {
      "/metadata/instance/compute?api-version=2025-11-11&format=json": {
        azEnvironment: "AZUREPUBLICCLOUD",
        location: "westus",
        name: "examplevmname",
        placementGroupId: "f67c14ab-e92c-408c-ae2d-da15866ec79a",
        interconnectGroupId: "",
        resourceGroupName: "macikgo-test-may-23",
        subscriptionId: "xxxxxxxx-xxxxx-xxx-xxx-xxxx",
        vmScaleSetName: "",
        vmSize: "Standard_A3",
        zone: "",
      },
      "/metadata/instance/network?api-version=2025-11-11&format=json": {
        interface: [
          {
            ipv4: {
              ipAddress: [{ privateIpAddress: "10.144.133.132", publicIpAddress: "" }],
              subnet: [{ address: "10.144.133.128", prefix: "26" }],
            },
            ipv6: { ipAddress: [] },
            macAddress: "0011AAFFBB22",
          },
          {
            ipv4: {
              ipAddress: [{ privateIpAddress: "10.9.255.4", publicIpAddress: "" }],
              subnet: [{ address: "10.9.255.0", prefix: "24" }],
            },
            ipv6: { ipAddress: [{ privateIpAddress: "ace:cab:deca::5" }] },
            macAddress: "000D3A5B6C7D",
          },
        ],
      },
    },
  },
  oke: {
    page: "https://docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm",
    requires: ["authorization", "Bearer Oracle"],
    answers: {
      "/opc/v2/instance/": { shape: "BM.GPU.H100.8", region: "phx" },
      "/opc/v2/host/": {
        id: "ocid1.computebaremetalhost.oc1.phx.anyhqljt",
        rackId: "0b1c2d3e4f",
        networkBlockId: "1a2b3c",
        rdmaTopologyData: {
          customerHPCIslandId: `ocid1.hpcisland.oc1.phx.${"a".repeat(60)}`,
          customerNetworkBlock: `ocid1.computenetworkblock.oc1.phx.${"b".repeat(60)}`,
          customerLocalBlock: `ocid1.computelocalblock.oc1.phx.${"c".repeat(60)}`,
          customerHostId: "ocid1.computehost.oc1.phx.dddd",
        },
      },
    },
  },
  alibaba: {
    page: "https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata",
    requires: ["x-aliyun-ecs-metadata-token", TOKEN],
    tokenPath: "/latest/api/token",
    answers: {
      "/latest/meta-data/instance-id": "i-bp13znx0m0me8cquu",
      "/latest/meta-data/instance/instance-type": "ecs.g6e.large",
    },
  },
} as const satisfies Readonly<Record<string, Documented>>;

export type FakeCloud = keyof typeof DOCUMENTED;

export class MetadataService implements Disposable {
  /** Method and path of each question. */
  readonly asked: string[] = [];
  /** Takes the place of the documented answers: text or JSON by path. */
  readonly answers: Map<string, string | object>;
  /** Answered to everything while it is set. */
  refuses: number | undefined;
  /** Questions are taken and not answered while it is set. */
  isSilent = false;
  readonly #documented: Documented;
  readonly #server: Bun.Server<undefined>;
  #free = Promise.withResolvers<void>();

  constructor(cloud: FakeCloud) {
    this.#documented = DOCUMENTED[cloud];
    this.answers = new Map(Object.entries(this.#documented.answers));
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: (request) => this.#answer(request),
    });
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** `127.0.0.1:NNNN` */
  get host(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  /** Answers what was asked while it was silent, and all that comes. */
  speak(): void {
    this.isSilent = false;
    this.#free.resolve();
    this.#free = Promise.withResolvers();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    this.asked.push(`${request.method} ${pathname}${search}`);
    if (this.isSilent) await this.#free.promise;
    if (this.refuses !== undefined) return new Response("no", { status: this.refuses });
    const { requires: [name, value] = ["", ""], tokenPath, headers = {} } = this.#documented;
    if (tokenPath !== undefined && request.method === "PUT" && pathname === tokenPath) return new Response(TOKEN);
    if (name !== "" && request.headers.get(name) !== value) return new Response("header missing", { status: 400 });
    const answer = this.answers.get(`${pathname}${search}`);
    if (answer === undefined) return new Response("not found", { status: 404, headers });
    return typeof answer === "string" ? new Response(answer, { headers }) : Response.json(answer, { headers });
  }

  [Symbol.dispose](): void {
    this.speak();
    this.#server.stop(true);
  }
}
