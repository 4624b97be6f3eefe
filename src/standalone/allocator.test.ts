import { beforeAll, describe, expect, test } from "bun:test";
import type { Device } from "../inventory/device.ts";
import { type AllocationInput, type Allocations, allocate } from "./allocator.ts";
import type { Constraint, DeviceClass, DeviceRequest } from "./objects.ts";
import { loadSelectors, type Selectors } from "./selector.ts";
import { claim, device } from "./testing.ts";

const numa = (name: string, node: number): Device =>
  device(name, { "dra.net/ifName": { string: name }, "dra.net/numa": { int: node } });
const request = (name: string, more: Partial<DeviceRequest> = {}): DeviceRequest[] => [
  { name, deviceClassName: "nic", selectors: [], count: 1, ...more },
];
const all = (name: string, selectors: string[] = []): DeviceRequest[] => [{ name, deviceClassName: "nic", selectors }];
const named = (...names: string[]) =>
  names.map((name) => `device.attributes["dra.net"].ifName == "${name}"`).join(" || ");

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

describe("allocate() shares", () => {
  const shared = { ...numa("a", 0), shares: 2 };

  test("a device among as many claims as it has shares, under a share id of each", () => {
    const claims = ["x", "y", "z"].map((name) => claim(name, [request("main")]));
    const done = run({ devices: [shared], claims });
    expect(shown(done)).toEqual(["x: main=a", "y: main=a"]);
    expect(done.bindings.flatMap(({ results }) => results.map(({ shareId }) => shareId))).toEqual(["uid-x", "uid-y"]);
    expect(reasons(done)).toEqual([expect.stringContaining("z: request main needs 1 device")]);
    const later = run({ devices: [shared], claims: claims.slice(1), bindings: done.bindings });
    expect(shown(later)).toEqual(["y: main=a", "z: main=a"]);
  });

  test("no device twice within one claim", () => {
    const done = run({ devices: [shared], claims: [claim("x", [request("main"), request("more")])] });
    expect(shown(done)).toEqual([]);
  });
});
