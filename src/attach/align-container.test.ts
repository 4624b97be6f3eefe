import { expect, test } from "bun:test";
import { ClaimStore } from "../claims/store.ts";
import { claimDevice } from "../claims/testing.ts";
import { silentLogger } from "../lib/log.ts";
import { alignContainer } from "./align-container.ts";

const MAIN = { name: "main", cpus: "", mems: "" };

function recordAt(device: string, node: number | undefined, more: object = {}) {
  const record = claimDevice({ device, ...more });
  const place = node === undefined ? {} : { place: { node, cpus: `${node * 4}-${node * 4 + 3}`, hasMemory: true } };
  return { ...record, alignsCpus: true as const, published: { ...record.published, ...place } };
}

test("alignContainer() binds to the nodes of the devices that ask for it, and writes the outcome down", () => {
  using store = ClaimStore.open(":memory:", "boot");
  const told: string[] = [];
  const observer = { cpusDecided: ({ device }: { device: string }) => told.push(device) };
  const attachment = { sandboxId: "s", temporaryName: "t", late: false };
  const [near, unasked, lost] = [
    { ...recordAt("near", 1), state: "attached" as const, attachment },
    { ...claimDevice({ device: "unasked" }), attachment },
    { ...recordAt("lost", undefined), attachment },
  ];
  store.put([near, unasked, lost]);
  const parts = { store, observer, log: silentLogger };
  expect(alignContainer(parts, [near, unasked, lost], MAIN)).toEqual({ cpus: "4-7", mems: "1" });
  expect(told).toEqual(["near", "lost"]);
  expect(store.get(near)?.attachment?.unaligned).toEqual({ main: "" });
  expect(store.get(lost)?.attachment?.unaligned).toEqual({ main: "the NUMA node of the device is not known" });
  expect(store.get(unasked)?.attachment?.unaligned).toBeUndefined();
  expect(alignContainer(parts, [unasked], MAIN)).toEqual({});
});
