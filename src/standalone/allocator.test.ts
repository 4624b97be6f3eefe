import { beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { AttributeValue, Device } from "../inventory/device.ts";
import { type AllocationInput, type Allocations, allocate } from "./allocator.ts";
import type { Constraint, DeviceClass, DeviceRequest, ResourceClaim } from "./objects.ts";
import { loadSelectors, type Selectors } from "./selector.ts";

const device = (name: string, attributes: Record<string, AttributeValue> = {}): Device => ({
  name,
  identity: { ifname: name },
  attributes,
});
const numa = (name: string, node: number): Device =>
  device(name, { "dra.net/ifName": { string: name }, "dra.net/numa": { int: node } });
const request = (name: string, more: Partial<DeviceRequest> = {}): DeviceRequest[] => [
  { name, deviceClassName: "nic", selectors: [], count: 1, ...more },
];
const all = (name: string, selectors: string[] = []): DeviceRequest[] => [{ name, deviceClassName: "nic", selectors }];
const named = (...names: string[]) =>
  names.map((name) => `device.attributes["dra.net"].ifName == "${name}"`).join(" || ");

function claim(name: string, requests: DeviceRequest[][], more: Partial<ResourceClaim> = {}): ResourceClaim {
  return {
    uid: `uid-${name}`,
    namespace: "default",
    name,
    digest: "d1",
    requests,
    constraints: [],
    configs: [],
    ...more,
  };
}

const NIC: DeviceClass = { name: "nic", selectors: [], configs: [] };

let selectors: Selectors;
beforeAll(async () => {
  selectors = await loadSelectors("dra.net");
});

function run(input: Partial<AllocationInput>): Allocations {
  return allocate({
    claims: [],
    classes: [NIC],
    devices: [],
    bindings: [],
    driver: "dra.net",
    pool: "node1",
    selectors,
    inUse: () => false,
    ...input,
  });
}

/** `claim: request=device …`, one line for each binding. */
function shown({ bindings }: Allocations): string[] {
  return bindings.map(
    ({ name, results }) => `${name}: ${results.map((result) => `${result.request}=${result.device}`).join(" ")}`,
  );
}
const reasons = ({ refused }: Allocations) => refused.map(({ claim: { name }, reason }) => `${name}: ${reason}`);

describe("allocate() chooses", () => {
  const devices = [numa("a", 0), numa("b", 1), numa("c", 1), numa("d", 0)];

  test("the first devices that fit, for claims in the order of their names", () => {
    const done = run({
      devices,
      claims: [claim("z", [request("main")]), claim("y", [request("main"), request("more", { count: 2 })])],
    });
    expect(shown(done)).toEqual(["y: main=a more=b more=c", "z: main=d"]);
    expect(done.bindings[0]?.results[0]).toEqual({ request: "main", driver: "dra.net", pool: "node1", device: "a" });
    expect(done.made).toEqual(done.bindings);
  });

  test("by the selectors of class and request together", () => {
    const fast: DeviceClass = { name: "fast", selectors: ['device.attributes["dra.net"].numa == 1'], configs: [] };
    const done = run({
      devices,
      classes: [NIC, fast],
      claims: [claim("x", [request("main", { deviceClassName: "fast", selectors: [named("a", "c")] })])],
    });
    expect(shown(done)).toEqual(["x: main=c"]);
  });

  test("all devices for allocationMode All, or none while one of them is taken", () => {
    const done = run({
      devices,
      claims: [claim("x", [all("main", [named("b", "c")])]), claim("y", [all("main", [named("c", "d")])])],
    });
    expect(shown(done)).toEqual(["x: main=b main=c"]);
    expect(reasons(done)).toEqual([
      "y: request main needs all matching devices; of 4 on this host 2 match and 1 of these are free",
    ]);
    expect(reasons(run({ devices, claims: [claim("x", [all("main", ["false"])])] }))[0]).toContain("0 match");
  });

  test("again where the first fit leaves a later request without a device", () => {
    const done = run({ devices, claims: [claim("x", [request("any"), request("only", { selectors: [named("a")] })])] });
    expect(shown(done)).toEqual(["x: any=b only=a"]);
  });

  test("devices with equal, or with different values", () => {
    const on = (kind: Constraint["kind"], requests: string[] = []): Constraint[] => [
      { kind, attribute: "dra.net/numa", requests },
    ];
    const pair = [request("one"), request("two")];
    expect(shown(run({ devices, claims: [claim("x", pair, { constraints: on("match") })] }))).toEqual([
      "x: one=a two=d",
    ]);
    expect(shown(run({ devices, claims: [claim("x", pair, { constraints: on("distinct") })] }))).toEqual([
      "x: one=a two=b",
    ]);
    expect(
      shown(
        run({
          devices,
          claims: [claim("x", [...pair, request("three")], { constraints: on("match", ["two", "three"]) })],
        }),
      ),
    ).toEqual(["x: one=a two=b three=c"]);
    const three = claim("x", [request("main", { count: 3 })], { constraints: on("match") });
    expect(reasons(run({ devices, claims: [three] }))).toEqual([
      "x: no choice of free devices satisfies all requests and constraints together (matchAttribute dra.net/numa)",
    ]);
  });

  test("no device without the attribute that a constraint names, nor one of another type", () => {
    const mixed = [
      device("a"),
      device("b", { "x/y": { int: 1 } }),
      device("c", { "x/y": { string: "1" } }),
      device("d", { "x/y": { int: 1 } }),
    ];
    const constraints: Constraint[] = [{ kind: "match", attribute: "x/y", requests: [] }];
    expect(
      shown(run({ devices: mixed, claims: [claim("x", [request("main", { count: 2 })], { constraints })] })),
    ).toEqual(["x: main=b main=d"]);
  });

  test("the first alternative that can be met", () => {
    const alternatives = [
      ...request("main/two", { count: 2, selectors: [named("c")] }),
      ...request("main/one", { selectors: [named("c", "d")] }),
    ];
    expect(shown(run({ devices, claims: [claim("x", [alternatives])] }))).toEqual(["x: main/one=c"]);
    const constraints: Constraint[] = [{ kind: "match", attribute: "dra.net/numa", requests: ["main", "other"] }];
    expect(
      shown(
        run({
          devices,
          claims: [claim("x", [alternatives, request("other", { selectors: [named("a")] })], { constraints })],
        }),
      ),
    ).toEqual(["x: main/one=d other=a"]);
  });

  test("the configuration of this driver, classes first, each for the request that used it", () => {
    const configs = [
      { requests: [], driver: "dra.net", parameters: { interface: { mtu: 9000 } } },
      { requests: [], driver: "gpu.example", parameters: {} },
    ];
    const own = [{ requests: ["main"], driver: "dra.net", parameters: { interface: { name: "net1" } } }];
    const unused: DeviceClass = { name: "unused", selectors: ["false"], configs };
    const alternatives = [...request("main/a", { deviceClassName: "unused" }), ...request("main/b")];
    const done = run({
      devices,
      classes: [{ ...NIC, configs }, unused],
      claims: [claim("x", [alternatives], { configs: own })],
    });
    expect(done.bindings[0]?.configs).toEqual([
      { source: "FromClass", requests: ["main/b"], parameters: { interface: { mtu: 9000 } } },
      { source: "FromClaim", requests: ["main"], parameters: { interface: { name: "net1" } } },
    ]);
  });
});

describe("allocate() refuses one claim and serves the others when", () => {
  const devices = [numa("a", 0), device("bare")];

  test("there are too few devices", () => {
    const done = run({ devices, claims: [claim("x", [request("main", { count: 3 })]), claim("y", [request("main")])] });
    expect(shown(done)).toEqual(["y: main=a"]);
    expect(reasons(done)).toEqual([
      "x: request main needs 3 devices; of 2 on this host 2 match and 2 of these are free",
    ]);
  });

  test("a class is missing", () => {
    const done = run({ devices, classes: [], claims: [claim("x", [request("main")])] });
    expect(reasons(done)).toEqual(["x: request main names DeviceClass nic, which does not exist"]);
  });

  test("a selector fails on a device whose turn it is, but not on one that is not needed", () => {
    const selector = 'device.attributes["dra.net"].numa == 0';
    const done = run({
      devices,
      claims: [
        claim("x", [request("main", { selectors: [selector] })]),
        claim("y", [request("main", { selectors: [selector] })]),
      ],
    });
    expect(shown(done)).toEqual(["x: main=a"]);
    expect(reasons(done)[0]).toContain(`y: selector \`${selector}\` fails on device bare: `);
  });

  test("a selector cannot be evaluated", () => {
    const done = run({
      devices,
      claims: [claim("x", [request("main", { selectors: ["optional.none().hasValue()"] })])],
    });
    expect(reasons(done)[0]).toContain("needs the scheduler");
  });

  test("the search takes too long", () => {
    const many = Array.from({ length: 20 }, (_, i) => device(`d${i}`, { "x/y": { int: i } }));
    const constraints: Constraint[] = [{ kind: "match", attribute: "x/y", requests: ["last", "first"] }];
    const claims = [claim("x", [request("first"), request("more", { count: 8 }), request("last")], { constraints })];
    expect(reasons(run({ devices: many, claims, maxTries: 5000 }))).toEqual([
      "x: no choice of devices was found in 5000 tries; use fewer requests or closer selectors",
    ]);
  });
});

describe("allocate() keeps", () => {
  const devices = [numa("a", 0), numa("b", 0)];
  const first = run({ devices, selectors: { matches: () => true }, claims: [claim("m", [request("main")])] }).bindings;

  test("a binding, though another claim would now come first, and though its device is not to be seen", () => {
    const claims = [claim("m", [request("main")]), claim("a", [request("main")])];
    expect(shown(run({ devices, claims, bindings: first }))).toEqual(["m: main=a", "a: main=b"]);
    expect(shown(run({ devices: [], claims: [claim("m", [request("main")])], bindings: first }))).toEqual([
      "m: main=a",
    ]);
  });

  test("nothing for a claim whose file is gone, unless a pod has it", () => {
    const gone = run({ devices, bindings: first, claims: [claim("z", [request("main", { count: 2 })])] });
    expect(shown(gone)).toEqual(["z: main=a main=b"]);
    expect(gone.released).toEqual(first);
    const held = run({ devices, bindings: first, inUse: () => true });
    expect([held.bindings, held.released]).toEqual([first, []]);
    expect(reasons(held)).toEqual([
      "m: its file is gone, but a pod still has its devices: they stay with that pod until it ends",
    ]);
  });

  test("the old binding of a changed claim while a pod has it, and makes a new one else", () => {
    const changed = claim("m", [request("main", { count: 2 })], { digest: "d2" });
    expect(shown(run({ devices, bindings: first, claims: [changed] }))).toEqual(["m: main=a main=b"]);
    const held = run({ devices, bindings: first, claims: [changed], inUse: () => true });
    expect(shown(held)).toEqual(["m: main=a"]);
    expect(reasons(held)).toEqual([
      "m: its spec was changed while a pod has its devices: the change takes effect once that pod has ended",
    ]);
  });

  test("everything as it is when run again on its own result", () => {
    const claims = [claim("x", [request("main")]), claim("y", [all("main")])];
    const once = run({ devices, claims });
    const twice = run({ devices, claims, bindings: once.bindings });
    expect(twice.bindings).toEqual(once.bindings);
    expect([twice.made, twice.released]).toEqual([[], []]);
  });
});

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
