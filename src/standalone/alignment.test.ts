/** The figures of docs/topology.md. */
import { expect, test } from "bun:test";
import type { Device } from "../inventory/device.ts";
import { allocate } from "./allocator.ts";
import type { Binding } from "./binding.ts";
import type { Selectors } from "./selector.ts";

const PAIRS = 8;
const ROOT = "resource.kubernetes.io/pcieRoot";
const NUMA = "resource.kubernetes.io/numaNode";

/** A GPU and a NIC below each of eight PCIe roots, four roots to a NUMA node; the NICs are listed in another order. */
const devices: Device[] = ["gpu", "nic"].flatMap((kind) =>
  Array.from({ length: PAIRS }, (_, i) => {
    const at = kind === "gpu" ? i : (i * 3 + 5) % PAIRS;
    return {
      name: `${kind}${i}`,
      identity: {},
      attributes: { [ROOT]: { string: `pci0000:${at}0` }, [NUMA]: { int: at < PAIRS / 2 ? 0 : 1 } },
    };
  }),
);
const byPrefix: Selectors = { matches: (prefix, { name }) => name.startsWith(prefix) };

/** A claim for each name, for a GPU and a NIC under the constraint. */
function give(names: readonly string[], bindings: readonly Binding[], attribute?: string): readonly Binding[] {
  const request = (kind: string) => [{ name: kind, deviceClassName: "c", selectors: [kind], count: 1 }];
  const constraints = attribute === undefined ? [] : [{ kind: "match" as const, attribute, requests: [] }];
  return allocate({
    classes: [{ name: "c", selectors: [], configs: [] }],
    driver: "d",
    pool: "n",
    devices,
    bindings,
    inUse: () => false,
    selectors: byPrefix,
    claims: names.map((name) => ({
      uid: name,
      namespace: "n",
      name,
      digest: "d",
      requests: [request("gpu"), request("nic")],
      constraints,
      configs: [],
    })),
  }).bindings;
}

function isAligned(names: readonly string[], attribute: string): boolean {
  const [one, other] = names.map((name) => devices.find((device) => device.name === name)?.attributes[attribute]);
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Of the pairs of GPU and NIC that claims have, how many are aligned. */
function aligned(bindings: readonly Binding[], attribute: string): number {
  return bindings.filter(({ results }) =>
    isAligned(
      results.map(({ device }) => device),
      attribute,
    ),
  ).length;
}

const NAMES = Array.from({ length: PAIRS }, (_, i) => `pod${i}`);

for (const attribute of [ROOT, NUMA]) {
  test(`matchAttribute ${attribute} aligns all eight pairs of a node, also after pods came and went`, () => {
    const first = give(NAMES, [], attribute);
    expect([first.length, aligned(first, attribute)]).toEqual([PAIRS, PAIRS]);
    const others = NAMES.map((name, i) => (i % 3 === 0 ? `${name}-again` : name));
    const second = give(others, first, attribute);
    expect([second.length, aligned(second, attribute)]).toEqual([PAIRS, PAIRS]);
  });
}

/** Share of aligned pairs, if any NIC is as likely as any other: NICs at the GPU's place, of all NICs. */
function shareByChance(perPlace: number): number {
  return perPlace / PAIRS;
}

test("of pairs that chance makes an eighth shares its PCIe root, half shares its NUMA node", () => {
  const pairs = devices.slice(0, PAIRS).flatMap((gpu) => devices.slice(PAIRS).map((nic) => [gpu.name, nic.name]));
  const share = (attribute: string) => pairs.filter((pair) => isAligned(pair, attribute)).length / pairs.length;
  expect(share(ROOT)).toBe(shareByChance(1));
  expect(share(NUMA)).toBe(shareByChance(PAIRS / 2));
  expect([shareByChance(1), shareByChance(PAIRS / 2)]).toEqual([0.125, 0.5]);
});

test("a full node keeps that share: a random order of eight NICs has one at its place in the mean", () => {
  // Counted over all 8! orders: places[i] is the NIC of GPU i.
  let orders = 0;
  let atPlace = 0;
  const place = (places: number[], left: readonly number[]): void => {
    if (left.length === 0) {
      orders++;
      atPlace += places.filter((nic, gpu) => nic === gpu).length;
    }
    for (const nic of left)
      place(
        [...places, nic],
        left.filter((other) => other !== nic),
      );
  };
  place([], [...Array(PAIRS).keys()]);
  expect(orders).toBe(40_320);
  expect(atPlace / orders / PAIRS).toBe(shareByChance(1));
});

/** GB/s of the paper for large messages: aligned, unaligned (arXiv 2506.23628, Tables II and III). */
const PAPER = { allGather: [46.59, 29.2], allReduce: [46.93, 29.68] } as const;

test("the paper's bandwidths mean what docs/topology.md says", () => {
  const rounded = (value: number) => Math.round(value * 100) / 100;
  const means = Object.values(PAPER).map(([high, low]) => {
    const mean = (share: number) => rounded(low + share * (high - low));
    return { gain: rounded(high / low), byRoot: mean(1 / 64), byNode: mean(1 / 4) };
  });
  expect(means).toEqual([
    { gain: 1.6, byRoot: 29.47, byNode: 33.55 },
    { gain: 1.58, byRoot: 29.95, byNode: 33.99 },
  ]);
});
