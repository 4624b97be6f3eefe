import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Device } from "../inventory/device.ts";
import { type AllocationInput, type Allocations, allocate } from "./allocator.ts";
import type { Constraint, DeviceRequest } from "./objects.ts";
import type { Selectors } from "./selector.ts";
import { claim, device } from "./testing.ts";

function run(input: Pick<AllocationInput, "claims" | "devices" | "bindings" | "selectors" | "inUse">): Allocations {
  return allocate({
    classes: [{ name: "nic", selectors: [], configs: [] }],
    driver: "dra.net",
    pool: "node1",
    ...input,
  });
}

describe("allocate() against a search of all possibilities", () => {
  const ATTRIBUTES = ["p/x", "p/y"];
  const devicesOf = fc
    .array(fc.dictionary(fc.constantFrom(...ATTRIBUTES), fc.record({ int: fc.integer({ min: 0, max: 2 }) })), {
      maxLength: 5,
    })
    .map((list) => list.map((attributes, i) => device(`d${i}`, attributes)));
  // Selectors here are lists of device names, so that the test needs no CEL.
  const some = fc
    .uniqueArray(fc.constantFrom("d0", "d1", "d2", "d3", "d4"), { minLength: 1 })
    .map((names) => names.join());
  const one = fc.record({
    selectors: fc.array(some, { maxLength: 2 }),
    count: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  });
  const requestsOf = fc
    .array(fc.array(one, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 3 })
    .map((list) =>
      list.map((alternatives, i) =>
        alternatives.map(
          ({ selectors, count }, j): DeviceRequest => ({
            name: alternatives.length === 1 ? `r${i}` : `r${i}/s${j}`,
            deviceClassName: "nic",
            selectors,
            ...(count === undefined ? {} : { count }),
          }),
        ),
      ),
    );
  const constraintsOf = fc.array(
    fc.record({
      kind: fc.constantFrom("match", "distinct"),
      attribute: fc.constantFrom(...ATTRIBUTES),
      requests: fc.uniqueArray(fc.constantFrom("r0", "r1", "r2", "r0/s0", "r1/s1"), { maxLength: 2 }),
    }),
    { maxLength: 2 },
  );
  const takenOf = fc.uniqueArray(fc.constantFrom("d0", "d1", "d2"), { maxLength: 2 });
  const byList: Selectors = { matches: (names, { name }) => names.split(",").includes(name) };

  /** All sets of `size` items. */
  function subsets<T>(items: readonly T[], size: number): T[][] {
    if (size === 0) return [[]];
    return items.flatMap((item, i) => subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]));
  }

  type Pick = [string, Device];
  /** Everything that the requests could be given, regardless of each other and of constraints. */
  function everything(requests: readonly (readonly DeviceRequest[])[], devices: readonly Device[]): Pick[][] {
    const options = requests.map((alternatives) =>
      alternatives.flatMap(({ name, selectors, count }) => {
        const matching = devices.filter((candidate) =>
          selectors.every((names) => names.split(",").includes(candidate.name)),
        );
        const sets = count !== undefined ? subsets(matching, count) : matching.length > 0 ? [matching] : [];
        return sets.map((set) => set.map((member): Pick => [name, member]));
      }),
    );
    return options.reduce<Pick[][]>(
      (before, choices) => before.flatMap((picks) => choices.map((choice) => [...picks, ...choice])),
      [[]],
    );
  }

  function holds(picks: readonly Pick[], constraints: readonly Constraint[], taken: readonly string[]): boolean {
    const names = picks.map(([, { name }]) => name);
    if (new Set([...names, ...taken]).size !== names.length + taken.length) return false;
    return constraints.every(({ kind, attribute, requests }) => {
      const concerned = picks.filter(
        ([name]) => requests.length === 0 || requests.includes(name) || requests.includes(name.replace(/\/.*/, "")),
      );
      const values = concerned
        .map(([, { attributes }]) => attributes[attribute])
        .map((value) => value && "int" in value && value.int);
      const different = new Set(values).size;
      return !values.includes(undefined) && (kind === "match" ? different <= 1 : different === values.length);
    });
  }

  test("finds devices exactly when there are some, and only such as hold", () => {
    let met = 0;
    let unmet = 0;
    fc.assert(
      fc.property(devicesOf, requestsOf, constraintsOf, takenOf, (devices, requests, constraints, taken) => {
        const held = {
          claimUid: "other",
          namespace: "n",
          name: "other",
          digest: "d1",
          configs: [],
          results: taken.map((name) => ({ request: "r", driver: "dra.net", pool: "node1", device: name })),
        };
        const done = run({
          devices,
          bindings: [held],
          inUse: () => true,
          selectors: byList,
          claims: [claim("x", requests, { constraints })],
        });
        const possible = everything(requests, devices).filter((picks) => holds(picks, constraints, taken));
        const results = done.made[0]?.results;
        expect(results !== undefined).toBe(possible.length > 0);
        if (results === undefined) {
          unmet++;
          expect(done.refused.some((refusal) => refusal.claim.name === "x" && refusal.reason !== "")).toBe(true);
          return;
        }
        met++;
        const text = (picks: readonly (readonly [string, string])[]) => picks.map((pick) => pick.join("=")).join(" ");
        expect(possible.map((picks) => text(picks.map(([name, chosen]) => [name, chosen.name])))).toContain(
          text(results.map((result) => [result.request, result.device])),
        );
      }),
      { numRuns: 1500 },
    );
    // The inputs are worth something only if both answers are common.
    expect(Math.min(met, unmet)).toBeGreaterThan(150);
  });

  test("never gives a device to two claims, however they come and go", () => {
    const step = fc.array(
      fc.record({
        name: fc.constantFrom("a", "b", "c", "d"),
        requests: requestsOf,
        digest: fc.constantFrom("d1", "d2"),
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(
        devicesOf,
        fc.array(step, { minLength: 1, maxLength: 4 }),
        fc.uniqueArray(fc.constantFrom<string>("uid-a", "uid-b")),
        (devices, steps, used) => {
          let bindings: Allocations["bindings"] = [];
          for (const files of steps) {
            const claims = [
              ...new Map(files.map(({ name, requests, digest }) => [name, claim(name, requests, { digest })])).values(),
            ];
            const before = bindings;
            const done = run({ devices, claims, bindings, selectors: byList, inUse: (uid) => used.includes(uid) });
            bindings = done.bindings;
            const given = bindings.flatMap(({ results }) => results.map((result) => result.device));
            expect(new Set(given).size).toBe(given.length);
            for (const old of before) if (used.includes(old.claimUid)) expect(bindings).toContain(old);
            expect(bindings.toSorted((left, right) => (left.claimUid < right.claimUid ? -1 : 1))).toEqual(
              [...before.filter((old) => !done.released.includes(old)), ...done.made].toSorted((left, right) =>
                left.claimUid < right.claimUid ? -1 : 1,
              ),
            );
          }
        },
      ),
    );
  });
});
