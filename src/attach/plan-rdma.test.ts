import { expect, test } from "bun:test";
import { refusal } from "../../test/lab/refusal.ts";
import type { AttachPlan } from "../claims/record.ts";
import type { NetworkConfig } from "../config/network-config.ts";
import type { DeviceNode } from "../kernel/device-node.ts";
import type { CharDeviceType } from "../rdma/nldev.ts";
import { type RdmaParts, withNodes, withRdma } from "./plan-rdma.ts";

const GUID = "0c42:a103:0065:1a2e";
const node = (name: string): DeviceNode => ({
  path: `/dev/infiniband/${name}`,
  major: 231,
  minor: 192,
  permissions: "rw",
});
const LINK: AttachPlan = { ifname: "net1", steps: [] };
const CHILD: AttachPlan = { ...LINK, child: { kind: "macvlan", kindData: "" } };
const DEVICE = { name: "eth1", identity: { ifname: "eth1", rdmaName: "mlx5_0" }, attributes: {} };

/** A host with mlx5_0, as its kernel answers. */
function host(facts: {
  mode?: "exclusive" | "shared";
  canMove?: boolean;
  missing?: readonly CharDeviceType[];
  kind?: "rxe";
}): RdmaParts {
  const { mode = "shared", canMove = true, missing = [], kind } = facts;
  return {
    kernel: {
      readRdma: async () => ({
        netnsMode: mode,
        devices: [{ index: 0, name: "mlx5_0", nodeGuid: GUID, ports: [] }],
      }),
      rdmaNodes: async ({ types }) => ({
        nodes: types
          .filter((type) => !missing.includes(type))
          .map((type) => node(type === "rdma_cm" ? type : `${type}0`)),
        missing: types.filter((type) => missing.includes(type)),
        ...(kind === undefined ? {} : { kind }),
      }),
      canMoveRdma: async () => canMove,
    },
  };
}

const plan = (parts: RdmaParts, base = LINK, config: NetworkConfig = {}, device: typeof DEVICE | object = DEVICE) =>
  withRdma(parts, base, device as typeof DEVICE, config, new AbortController().signal);
const paths = ({ deviceNodes = [] }: AttachPlan) => deviceNodes.map(({ path }) => path.split("/").at(-1) ?? "");

test("withRdma() gives character devices alone in shared mode, and moves the device in exclusive mode", async () => {
  const shared = await plan(host({}));
  expect(paths(shared)).toEqual(["uverbs0", "rdma_cm"]);
  expect(shared.rdma).toMatchObject({ name: "mlx5_0", nodeGuid: GUID, moves: false });
  expect((await plan(host({ mode: "exclusive" }))).rdma?.moves).toBe(true);
});

test("withRdma() knows that a device in software dies with its link's move, and only then", async () => {
  expect((await plan(host({ kind: "rxe" }))).rdma?.kind).toBe("rxe");
  expect((await plan(host({ kind: "rxe" }), CHILD)).rdma).not.toHaveProperty("kind");
  expect((await plan(host({ kind: "rxe" }), { steps: [] })).rdma).not.toHaveProperty("kind");
});

test("withRdma() leaves the RDMA device of a parent on the host, where it cannot be in two namespaces", async () => {
  const child = await plan(host({ mode: "exclusive" }), CHILD);
  expect(child).not.toHaveProperty("rdma");
  expect(child.leftOut).toEqual(["RDMA device mlx5_0 stays on the host, as its link does"]);
});

test("withRdma() does without rdma_cm, and with umad and issm where they are asked for", async () => {
  expect(paths(await plan(host({ missing: ["rdma_cm"] })))).toEqual(["uverbs0"]);
  expect(paths(await plan(host({}), LINK, { umad: true, issm: true }))).toEqual([
    "uverbs0",
    "rdma_cm",
    "umad0",
    "issm0",
  ]);
});

test("withRdma() refuses, with a sentence, what this host cannot do", async () => {
  const cases: readonly [() => Promise<unknown>, string][] = [
    [
      () => plan(host({ missing: ["uverbs"] })),
      "RDMA device mlx5_0 of device eth1 has no character device uverbs: load ib_uverbs",
    ],
    [() => plan(host({ missing: ["issm"] }), LINK, { issm: true }), "has no character device issm: load ib_umad"],
    [
      () => plan(host({ mode: "exclusive", canMove: false })),
      "RDMA device mlx5_0 of device eth1 cannot be given to a pod",
    ],
    [
      () => plan(host({}), LINK, { rdmaExclusive: true }),
      "device eth1 is claimed with rdmaExclusive, but RDMA devices as mlx5_0 are shared",
    ],
    [() => plan(host({ kind: "rxe" }), { ...LINK, movedBy: "oci" }), "cannot follow a link that the OCI runtime moves"],
    [
      () => plan(host({ mode: "exclusive" }), LINK, {}, { ...DEVICE, identity: { rdmaName: "mlx5_9" } }),
      "RDMA device mlx5_9 of device eth1 is not in the host's namespace",
    ],
    [
      () => plan(host({}), LINK, {}, { ...DEVICE, identity: { rdmaName: "mlx5_9" } }),
      "RDMA device mlx5_9 of device eth1 is not there any more",
    ],
    [
      () => plan(host({}), LINK, { umad: true }, { ...DEVICE, identity: {} }),
      "device eth1 has no RDMA device, which umad of its configuration asks for",
    ],
  ];
  for (const [ask, sentence] of cases) expect(await refusal(ask())).toContain(sentence);
});

test("withRdma() says nothing of a device without RDMA, and asks the kernel nothing", async () => {
  const kernel = new Proxy({} as RdmaParts["kernel"], {
    get: () => () => {
      throw new Error("asked");
    },
  });
  expect(await plan({ kernel }, LINK, {}, { ...DEVICE, identity: {} })).toBe(LINK);
});

test("withNodes() takes the place of the RDMA device's own nodes alone", () => {
  const other = { path: "/dev/vfio/12", major: 10, minor: 196, permissions: "rw" };
  const rdma = { name: "mlx5_0", moves: true, nodeTypes: ["uverbs", "rdma_cm"] as const };
  const before = { ...LINK, deviceNodes: [other, node("uverbs0"), node("rdma_cm")] };
  expect(paths(withNodes(before, rdma, [node("uverbs3"), node("rdma_cm")]))).toEqual(["12", "uverbs3", "rdma_cm"]);
});
