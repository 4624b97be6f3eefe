import { expect, test } from "bun:test";
import { ApiLab } from "../../test/fakes/api-client.ts";
import { ConfigError } from "../lib/errors.ts";
import { parseClaim, readClaim } from "./claims.ts";
import { KubeError } from "./client/kube-error.ts";
import { parsePod, readPod } from "./pods.ts";

const CLAIM = {
  apiVersion: "resource.k8s.io/v1",
  kind: "ResourceClaim",
  metadata: { name: "nic", namespace: "team", uid: "claim-uid", resourceVersion: "5" },
  spec: { devices: { requests: [{ name: "main" }] } },
  status: {
    reservedFor: [{ resource: "pods", name: "worker", uid: "pod-uid" }],
    allocation: {
      devices: {
        results: [
          { request: "gpu", driver: "gpu.example", pool: "n1", device: "gpu0" },
          { request: "main/fast", driver: "dra.net", pool: "n1", device: "eth1" },
          { request: "watch", driver: "dra.net", pool: "n1", device: "eth2", adminAccess: true, shareID: "s-1" },
        ],
        config: [
          { source: "FromClass", opaque: { driver: "dra.net", parameters: { interface: { mtu: 9000 } } } },
          { source: "FromClass", opaque: { driver: "gpu.example", parameters: {} } },
          { source: "FromClaim", requests: ["main"], opaque: { driver: "dra.net", parameters: { routes: [] } } },
        ],
      },
      nodeSelector: {},
    },
  },
};

const POD = {
  metadata: { name: "worker", namespace: "team", uid: "pod-uid" },
  spec: {
    hostNetwork: true,
    runtimeClassName: "crun",
    initContainers: [{ name: "init", resources: { claims: [{ name: "net" }] } }],
    containers: [{ name: "app", resources: { claims: [{ name: "net", request: "main" }] } }, { name: "side" }],
    resourceClaims: [
      { name: "net", resourceClaimTemplateName: "t" },
      { name: "shared", resourceClaimName: "nic" },
    ],
  },
  status: { resourceClaimStatuses: [{ name: "net", resourceClaimName: "worker-net-x7" }] },
};

test("parseClaim() keeps what concerns our driver, in the API's order", () => {
  expect(parseClaim(CLAIM, "dra.net")).toEqual({
    uid: "claim-uid",
    namespace: "team",
    name: "nic",
    allocated: true,
    reservedFor: [{ apiGroup: "", resource: "pods", name: "worker", uid: "pod-uid" }],
    results: [
      { request: "main/fast", pool: "n1", device: "eth1", adminAccess: false },
      { request: "watch", pool: "n1", device: "eth2", adminAccess: true, shareId: "s-1" },
    ],
    configs: [
      { source: "FromClass", requests: [], parameters: { interface: { mtu: 9000 } } },
      { source: "FromClaim", requests: ["main"], parameters: { routes: [] } },
    ],
    devices: [],
  });
});

test("parseClaim() keeps of status.devices our entries and our conditions", () => {
  const lastTransitionTime = "2026-01-02T03:04:05Z";
  const ready = {
    type: "Ready",
    status: "True",
    reason: "NetworkDeviceReady",
    message: "",
    lastTransitionTime,
  } as const;
  const devices = [
    { driver: "gpu.example", pool: "n1", device: "gpu0", conditions: [ready] },
    {
      driver: "dra.net",
      pool: "n1",
      device: "eth1",
      shareID: null,
      data: { odd: true },
      conditions: [ready, { ...ready, type: "AnotherController" }],
      networkData: { interfaceName: "net1", ips: ["10.0.0.1/24"] },
    },
  ];
  expect(parseClaim({ ...CLAIM, status: { ...CLAIM.status, devices } }, "dra.net").devices).toEqual([
    {
      driver: "dra.net",
      pool: "n1",
      device: "eth1",
      conditions: [ready],
      networkData: { interfaceName: "net1", ips: ["10.0.0.1/24"] },
    },
  ]);
});

test("parseClaim() tells a claim without an allocation from one with none for us", () => {
  const { status: _status, ...fresh } = CLAIM;
  expect(parseClaim(fresh, "dra.net")).toMatchObject({ allocated: false, results: [], reservedFor: [] });
  expect(parseClaim(CLAIM, "other.example")).toMatchObject({ allocated: true, results: [], configs: [] });
  expect(parseClaim({ ...CLAIM, status: { allocation: null } }, "dra.net").allocated).toBe(false);
});

test("parseClaim() names the path of what is wrong", () => {
  const odd = structuredClone(CLAIM) as { status: { allocation: { devices: { results: unknown[] } } } };
  odd.status.allocation.devices.results[1] = { request: "main", driver: "dra.net", pool: "n1" };
  expect(() => parseClaim(odd, "dra.net")).toThrow("ResourceClaim status.allocation.devices.results.1.device");
  expect(() => parseClaim("text", "dra.net")).toThrow(ConfigError);
});

test("parsePod() finds which container asks for which claim", () => {
  expect(parsePod(POD)).toEqual({
    uid: "pod-uid",
    namespace: "team",
    name: "worker",
    hostNetwork: true,
    runtimeClassName: "crun",
    containers: [
      { name: "init", init: true, claims: [{ name: "net" }] },
      { name: "app", init: false, claims: [{ name: "net", request: "main" }] },
      { name: "side", init: false, claims: [] },
    ],
    claimNames: { net: "worker-net-x7", shared: "nic" },
  });
});

test("parsePod() takes a plain pod", () => {
  const plain = { metadata: POD.metadata, spec: { containers: [{ name: "app" }] } };
  expect(parsePod(plain)).toMatchObject({ hostNetwork: false, runtimeClassName: "", claimNames: {} });
});

test("readClaim() refuses a key that is given twice, by its path", async () => {
  const text = JSON.stringify({ ...CLAIM, spec: { parameters: { mtu: 9000 } } }).replace(
    '{"mtu":9000}',
    '{"mtu":1500,"mtu":9000}',
  );
  const client: Parameters<typeof readClaim>[0] = {
    get: async <T>(_path: string, { parse = JSON.parse }: { readonly parse?: (text: string) => unknown }) =>
      parse(text) as T,
  };
  const { signal } = new AbortController();
  const error = await readClaim(client, { namespace: "team", name: "nic" }, "dra.net", signal).catch(
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.message).toBe("claim team/nic: spec.parameters.mtu: is given twice");
});

test("readClaim() and readPod() give undefined for 404 and throw for 403", async () => {
  await using lab = new ApiLab();
  const server = await lab.start();
  const { signal } = new AbortController();
  const client = lab.client(server);
  expect(await readClaim(client, { namespace: "team", name: "nic" }, "dra.net", signal)).toBeUndefined();
  expect(await readPod(client, { namespace: "team", name: "worker" }, signal)).toBeUndefined();
  server.store.add("/apis/resource.k8s.io/v1/namespaces/team/resourceclaims", structuredClone(CLAIM));
  server.store.add("/api/v1/namespaces/team/pods", structuredClone(POD));
  expect(await readClaim(client, { namespace: "team", name: "nic" }, "dra.net", signal)).toEqual(
    parseClaim(CLAIM, "dra.net"),
  );
  expect(await readPod(client, { namespace: "team", name: "worker" }, signal)).toEqual(parsePod(POD));
  server.intercept = () => ({ status: 403, body: { reason: "Forbidden", message: "cannot get pods" } });
  const error = await readPod(client, { namespace: "team", name: "worker" }, signal).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(KubeError);
  expect(error.status).toBe(403);
});
