/**
 * The allocator of the standalone mode against the scheduler: the same devices, the same claims, the same answers. Each
 * claim has a node of its own, which exists in the API only, so that no claim sees what another one took.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { AttributeValue, Device } from "../../src/inventory/device.ts";
import { allocate } from "../../src/standalone/allocator.ts";
import { claimSchema, classSchema, toClaim, toClass } from "../../src/standalone/objects.ts";
import { loadSelectors } from "../../src/standalone/selector.ts";
import { type Cluster, startCluster } from "../lab/cluster/cluster.ts";
import { until } from "../lab/cluster/wait.ts";
import { type ClaimObject, type PodObject, pod, Workload } from "../lab/cluster/workload.ts";
import { CLAIMS, type ClaimCase } from "./agreement-claims.ts";
import { RELEASE } from "./release.ts";

const START_LIMIT_MS = 20 * 60_000;
const LIMIT_MS = 400_000;
const DRIVER = "dra.net";

const CLASSES = [
  { name: DRIVER, selectors: [`device.driver == "${DRIVER}"`] },
  { name: "fast", selectors: ['device.attributes["dra.net"].mtu >= 9000'] },
  { name: "any", selectors: [] },
].map(({ name, selectors }) => ({
  apiVersion: "resource.k8s.io/v1" as const,
  kind: "DeviceClass" as const,
  metadata: { name },
  spec: { selectors: selectors.map((expression) => ({ cel: { expression } })) },
}));

/** Two on each of four PCIe roots, two roots on each NUMA node. The last one lacks what some have. */
const DEVICES: readonly Device[] = Array.from({ length: 8 }, (_, i) => {
  const attributes: Record<string, AttributeValue> = {
    "dra.net/ifName": { string: `eth${i}` },
    "dra.net/mtu": { int: i % 2 === 0 ? 1500 : 9000 },
    "dra.net/rdma": { bool: i < 4 },
    "dra.net/firmware": { version: `1.${i}.0` },
    "resource.kubernetes.io/numaNode": { int: Math.floor(i / 4) },
    "resource.kubernetes.io/pcieRoot": { string: `pci0000:${Math.floor(i / 2)}0` },
  };
  if (i < 7) attributes["dra.net/pciVendor"] = { string: i < 3 ? "Mellanox" : "Intel" };
  return { name: `eth${i}`, identity: { ifname: `eth${i}` }, attributes };
});

let cluster: Cluster;
let workload: Workload;

beforeAll(async () => {
  cluster = await startCluster({ release: RELEASE });
  workload = new Workload(cluster);
}, START_LIMIT_MS);
afterAll(() => cluster.down(), LIMIT_MS);

test("there are 50 claims, no two alike", () => {
  expect(CLAIMS.length).toBe(50);
  expect(new Set(CLAIMS.map(({ spec }) => JSON.stringify(spec))).size).toBe(50);
});

test(
  "the allocator of the standalone mode gives each claim what the scheduler gives it",
  async () => {
    const named = CLAIMS.map((one, i) => ({ ...one, name: `claim-${String(i).padStart(2, "0")}` }));
    await workload.create(...CLASSES, ...named.flatMap(({ name }) => [nodeOf(name), sliceOf(name)]));
    const refusals = new Map<string, string>();
    for (const one of named) {
      const refusal = await create(one);
      if (refusal !== undefined) refusals.set(one.name, refusal);
    }
    const answers: Record<string, readonly [string, string]> = {};
    for (const { name, what, spec } of named)
      answers[what] = [refusals.get(name) ?? (await schedulers(name)), await standalones(name, spec)];
    const differing = Object.entries(answers).filter(([, [theirs, ours]]) => theirs !== ours && ours !== "unserved");
    expect(Object.fromEntries(differing)).toEqual({});
    const unserved = Object.entries(answers).flatMap(([what, [, ours]]) => (ours === "unserved" ? [what] : []));
    expect(unserved).toEqual(CLAIMS.filter(({ needsScheduler }) => needsScheduler === true).map(({ what }) => what));
    const kinds = Object.values(answers).map(([theirs]) => theirs.replace(/ .*/, ""));
    // All kinds of answers are among them: agreement on nothing but refusals would be worth little.
    for (const kind of ["allocated:", "none", "error", "refused"]) expect(kinds).toContain(kind);
  },
  LIMIT_MS,
);

/** `allocated: request=device …`, `none`, or `error`: an expression that fails on a device. */
async function schedulers(name: string): Promise<string> {
  let answer = "";
  await until(
    `the scheduler has decided ${name}`,
    async () => {
      answer = verdict(await workload.pod(name), await workload.claim(name));
      return answer !== "";
    },
    60_000,
  );
  return answer;
}

function verdict({ status }: PodObject, claim: ClaimObject): string {
  const results = claim.status?.allocation?.devices.results;
  if (results !== undefined)
    return `allocated: ${results.map(({ request, device }) => `${request}=${device}`).join(" ")}`;
  const scheduled = status.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status !== "False") return "";
  return /runtime error|CEL|expression|evaluat/.test(scheduled.message ?? "") ? "error" : "none";
}

async function standalones(name: string, spec: object): Promise<string> {
  const object = { apiVersion: "resource.k8s.io/v1", kind: "ResourceClaim", metadata: { name }, spec };
  const parsed = claimSchema.safeParse(object);
  if (!parsed.success) return "refused";
  const { bindings, refused } = allocate({
    claims: [toClaim(parsed.data)],
    classes: CLASSES.map((one) => toClass(classSchema.parse(one))),
    devices: DEVICES,
    bindings: [],
    driver: DRIVER,
    pool: name,
    selectors: await loadSelectors(DRIVER),
    inUse: () => false,
  });
  const [binding] = bindings;
  if (binding !== undefined)
    return `allocated: ${binding.results.map(({ request, device }) => `${request}=${device}`).join(" ")}`;
  const reason = refused[0]?.reason ?? "";
  if (reason.includes("needs the scheduler")) return "unserved";
  if (reason.includes("fails on device")) return "error";
  // The API server checks types before anything is evaluated.
  return /neither true nor false|is not a CEL expression|has no field/.test(reason) ? "refused" : "none";
}

/** What the API server refuses the claim with, if it does. */
async function create({ name, spec }: ClaimCase & { readonly name: string }): Promise<string | undefined> {
  const claims = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
  const body = { apiVersion: "resource.k8s.io/v1", kind: "ResourceClaim", metadata: { name }, spec };
  try {
    await cluster.api.json(claims, { method: "POST", body });
  } catch (error) {
    if (String(error).includes(" 422 ")) return "refused";
    throw error;
  }
  const object = pod(name, { claims: { net: name } }) as { spec: object };
  Object.assign(object.spec, { nodeSelector: { "netferry.test/node": name }, tolerations: [{ operator: "Exists" }] });
  await cluster.api.json("/api/v1/namespaces/default/pods", { method: "POST", body: object });
  return undefined;
}

function nodeOf(name: string): object {
  const labels = { "netferry.test/node": name };
  const capacity = { pods: "10", cpu: "4", memory: "8Gi" };
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels }, status: { capacity, allocatable: capacity } };
}

function sliceOf(name: string): object {
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name },
    spec: {
      driver: DRIVER,
      nodeName: name,
      pool: { name, generation: 1, resourceSliceCount: 1 },
      devices: DEVICES.map(({ name: device, attributes }) => ({ name: device, attributes })),
    },
  };
}
