import { expect, test } from "bun:test";
import { markerName } from "../cdi/receipt.ts";
import { claimDevice } from "../claims/testing.ts";
import { addedNodes } from "./added-nodes.ts";

const node = (name: string, minor: number) => ({
  path: `/dev/infiniband/${name}`,
  major: 231,
  minor,
  permissions: "rw",
});
const CM = node("rdma_cm", 5);
const first = claimDevice({ plan: { steps: [], deviceNodes: [node("uverbs0", 192), CM] } });
const second = claimDevice({ claimUid: "other", plan: { steps: [], deviceNodes: [node("uverbs1", 193), CM] } });
const container = (name: string, env: readonly string[] = []) => ({
  id: "c",
  name,
  sandboxId: "s",
  env,
  cdiDevices: [],
  annotations: {},
  cpus: "",
  mems: "",
});
const names = (...args: Parameters<typeof addedNodes>) => addedNodes(...args).map(({ path }) => path.split("/").at(-1));

test("addedNodes() gives every container those of claims that none names, a shared one once", () => {
  const unnamed = [{ ...first, namedBy: [] }, second];
  expect(names(unnamed, container("main"))).toEqual(["uverbs0", "rdma_cm", "uverbs1"]);
});

test("addedNodes() gives those of a claim that is named only to the containers that name it", () => {
  const named = [{ ...first, namedBy: ["main"] }];
  expect(names(named, container("main"))).toEqual(["uverbs0", "rdma_cm"]);
  expect(names(named, container("neighbour"))).toEqual([]);
});

test("addedNodes() leaves to the receipt what the receipt brought", () => {
  const env = [`${markerName(first.claimUid)}=s`];
  expect(names([first, second], container("main", env))).toEqual(["uverbs1", "rdma_cm"]);
});
