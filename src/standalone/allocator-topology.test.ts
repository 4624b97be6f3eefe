import { expect, test } from "bun:test";
import fc from "fast-check";
import { aFunction, aLink, factsWith } from "../../test/fakes/facts.ts";
import type { Device } from "../inventory/device.ts";
import { devicesOf } from "../inventory/devices-of.ts";
import { builtInPciIds } from "../inventory/pci-ids.ts";
import type { NumaNode } from "../sysfs/numa.ts";
import { allocate } from "./allocator.ts";
import type { Constraint, DeviceRequest } from "./objects.ts";
import type { Selectors } from "./selector.ts";

const NUMA = "resource.kubernetes.io/numaNode";
const ROOT = "resource.kubernetes.io/pcieRoot";

/** A PF below some root port of some node, with VFs and with links that stand on it. */
interface Card {
  /** -1: the firmware does not tell. */
  readonly node: number;
  readonly root: number;
  readonly vfs: number;
  readonly children: readonly ("macvlan" | "vlan" | "macvlan on vlan")[];
}

/** Each socket is cut into two nodes. */
const NODES: readonly NumaNode[] = [0, 1, 2, 3].map((id) => ({
  id,
  cpus: [id],
  package: id >> 1,
  hasMemory: true,
  distances: Object.fromEntries(
    [0, 1, 2, 3].map((other) => [other, other === id ? 10 : other >> 1 === id >> 1 ? 12 : 21]),
  ),
}));

function inventoryOf(cards: readonly Card[], listAttributes: boolean): Device[] {
  let ifindex = 1;
  const facts = cards.map(({ node, root, vfs, children }, slot) => {
    const pf = `0000:${(16 + slot).toString(16)}:00.0`;
    const place = { pcieRoot: `pci0000:0${root}`, ...(node < 0 ? {} : { numaNode: node }) };
    const vf = (n: number) => `0000:${(16 + slot).toString(16)}:02.${n}`;
    const functions = [
      aFunction(pf, { ...place, ifnames: [`p${slot}`], sriovTotalVfs: 4, sriovNumVfs: vfs }),
      ...Array.from({ length: vfs }, (_, n) => aFunction(vf(n), { ...place, ifnames: [`p${slot}v${n}`], physfn: pf })),
    ];
    const hardware = functions.map(({ ifnames: [ifname = ""] }) => aLink(++ifindex, ifname));
    const pfIndex = hardware[0]?.ifindex ?? 0;
    const software = children.flatMap((kind, n) => {
      const name = `p${slot}c${n}`;
      if (kind !== "macvlan on vlan") return [aLink(++ifindex, name, { kind, lower: pfIndex })];
      const vlan = aLink(++ifindex, `${name}v`, { kind: "vlan", lower: pfIndex });
      return [vlan, aLink(++ifindex, name, { kind: "macvlan", lower: vlan.ifindex })];
    });
    const locations = functions.map(({ address, ifnames: [ifname = ""] }) => [
      ifname,
      { isVirtual: false, pciAddress: address },
    ]);
    return { pci: functions, links: [...hardware, ...software], locations };
  });
  return devicesOf(
    factsWith({
      pci: facts.flatMap(({ pci }) => pci),
      links: facts.flatMap(({ links }) => links),
      locations: Object.fromEntries(facts.flatMap(({ locations }) => locations)),
      numaNodes: NODES,
    }),
    { domain: "dra.net", moveIbInterfaces: true, pciNames: builtInPciIds, listAttributes },
  );
}

/** The card that a device belongs to, by the names that inventoryOf() gave: it is not asked of the inventory. */
function cardOf(device: Device): number {
  return Number(/^p(\d+)/.exec(device.identity.ifname ?? "")?.[1]);
}

const cardsOf = fc.array(
  fc.record({
    node: fc.integer({ min: -1, max: 3 }),
    root: fc.integer({ min: 0, max: 3 }),
    vfs: fc.integer({ min: 0, max: 2 }),
    children: fc.array(fc.constantFrom("macvlan" as const, "vlan" as const, "macvlan on vlan" as const), {
      maxLength: 1,
    }),
  }),
  { minLength: 1, maxLength: 4 },
);
const constraintsOf = fc.array(
  fc.record({
    kind: fc.constantFrom("match" as const, "distinct" as const),
    attribute: fc.constantFrom(NUMA, ROOT),
    requests: fc.constantFrom([], ["r0", "r1"], ["r1", "r2"]),
  }),
  { minLength: 1, maxLength: 2 },
);
/** For each request one: which devices it takes. */
const KINDS = {
  any: () => true,
  hardware: ({ identity }: Device) => identity.pciAddress !== undefined,
  child: ({ identity }: Device) => identity.pciAddress === undefined,
};
const kindsOf = fc.array(fc.constantFrom<keyof typeof KINDS>("any", "hardware", "child"), {
  minLength: 2,
  maxLength: 3,
});
const byKind: Selectors = { matches: (kind, device) => KINDS[kind as keyof typeof KINDS](device as Device) };

/** What a topology constraint means, said about cards. A set of places, or `undefined` where nothing is known. */
function placesOf(card: Card | undefined, attribute: string, lists: boolean): readonly number[] | undefined {
  if (card === undefined) return undefined;
  if (attribute === ROOT) return [card.root];
  if (card.node < 0) return undefined;
  return lists ? [card.node, card.node ^ 1] : [card.node];
}

function holds(
  chosen: readonly Device[],
  cards: readonly Card[],
  constraints: readonly Constraint[],
  lists: boolean,
): boolean {
  return constraints.every(({ kind, attribute, requests }) => {
    const concerned = chosen.filter((_, i) => requests.length === 0 || requests.includes(`r${i}`));
    const places = concerned.map((device) => placesOf(cards[cardOf(device)], attribute, lists));
    const known = places.filter((place) => place !== undefined);
    if (known.length < places.length) return false;
    const common = [0, 1, 2, 3].filter((place) => known.every((each) => each.includes(place)));
    const all = known.flat();
    return kind === "match" ? known.length === 0 || common.length > 0 : new Set(all).size === all.length;
  });
}

/** Every way to give each request a device of its kind, no device twice. */
function* choices(devices: readonly Device[], kinds: readonly (keyof typeof KINDS)[]): Generator<Device[]> {
  const [kind, ...rest] = kinds;
  if (kind === undefined) yield [];
  else
    for (const device of devices.filter(KINDS[kind]))
      for (const others of choices(
        devices.filter((other) => other !== device),
        rest,
      ))
        yield [device, ...others];
}

test("allocate() aligns devices on 1,000 random topologies exactly when a search of all choices can", () => {
  let met = 0;
  let unmet = 0;
  fc.assert(
    fc.property(cardsOf, constraintsOf, kindsOf, fc.boolean(), (cards, constraints, kinds, lists) => {
      const devices = inventoryOf(cards, lists);
      const requests = kinds.map((kind, i): DeviceRequest[] => [
        { name: `r${i}`, deviceClassName: "nic", selectors: [kind], count: 1 },
      ]);
      const done = allocate({
        classes: [{ name: "nic", selectors: [], configs: [] }],
        driver: "dra.net",
        pool: "node1",
        devices,
        bindings: [],
        inUse: () => false,
        selectors: byKind,
        claims: [{ uid: "u", namespace: "n", name: "aligned", digest: "d", requests, constraints, configs: [] }],
      });
      let possible = false;
      for (const choice of choices(devices, kinds)) {
        possible = holds(choice, cards, constraints, lists);
        if (possible) break;
      }
      const names = done.made[0]?.results.map(({ device }) => device);
      expect(names !== undefined).toBe(possible);
      if (names === undefined) unmet++;
      else {
        met++;
        const chosen = names.flatMap((name) => devices.find((device) => device.name === name) ?? []);
        expect(new Set(chosen).size).toBe(kinds.length);
        expect(chosen.map((device, i) => KINDS[kinds[i] ?? "any"](device))).not.toContain(false);
        expect(holds(chosen, cards, constraints, lists)).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
  // The inputs are worth something only if both answers are common.
  expect(Math.min(met, unmet)).toBeGreaterThan(150);
});
