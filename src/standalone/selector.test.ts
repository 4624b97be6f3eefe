import { beforeAll, describe, expect, test } from "bun:test";
import { ClaimError } from "../lib/errors.ts";
import { loadSelectors, type SelectableDevice, type Selectors } from "./selector.ts";

const nic: SelectableDevice = {
  name: "pci-0000-8a-00-0",
  attributes: {
    "dra.net/ifName": { string: "eth1" },
    "dra.net/mtu": { int: 9000 },
    "dra.net/rdma": { bool: true },
    "dra.net/firmware": { version: "28.39.1002-rc.1+build5" },
    "resource.kubernetes.io/numaNode": { int: 1 },
    "dra.net/nodes": { ints: [0, 1] },
    plain: { string: "under the driver's name" },
  },
};

let selectors: Selectors;
beforeAll(async () => {
  selectors = await loadSelectors("dra.net");
});

test("matches() knows a device that several claims may have", () => {
  expect(selectors.matches("device.allowMultipleAllocations", { ...nic, shares: 2 })).toBe(true);
});

function problem(expression: string): string {
  try {
    selectors.matches(expression, nic);
  } catch (error) {
    expect(error).toBeInstanceOf(ClaimError);
    return (error as ClaimError).message;
  }
  throw new Error(`answered: ${expression}`);
}

describe("matches() answers as the scheduler does", () => {
  const cases: [string, boolean][] = [
    ['device.driver == "dra.net"', true],
    ["device.allowMultipleAllocations", false],
    ['device.attributes["dra.net"].mtu == 9000', true],
    ['device.attributes["dra.net"].mtu >= 1500 && device.attributes["dra.net"].rdma', true],
    ['device.attributes["dra.net"].rdma', true],
    ['device.attributes["dra.net"].plain.contains("driver")', true],
    ['device.attributes["resource.kubernetes.io"].numaNode in [0, 1]', true],
    ['1 in device.attributes["dra.net"].nodes', true],
    ['device.attributes["dra.net"].nodes == [0, 1] && size(device.attributes["dra.net"].nodes) == 2', true],
    ['device.attributes["dra.net"]["ifName"].startsWith("eth")', true],
    ['device.attributes["dra.net"].ifName.matches("^eth[0-9]$")', true],
    // A domain that does not exist is an empty map; `in` is strict.
    ['has(device.attributes["nobody.example"].thing)', false],
    ['has(device.attributes["dra.net"].nothing)', false],
    ['has(device.attributes["dra.net"].mtu)', true],
    ['"dra.net" in device.attributes', true],
    ['"nobody.example" in device.attributes', false],
    ['"thing" in device.attributes["nobody.example"]', false],
    ['size(device.attributes["nobody.example"]) == 0', true],
    ["size(device.attributes) == 2", true],
    ['device.attributes.exists(domain, domain == "dra.net")', true],
    ['has(device.capacity["dra.net"].bandwidth)', false],
    ["size(device.capacity) == 0", true],
    // An error on one side of || or && is absorbed by the other.
    ['device.attributes["dra.net"].nothing == 1 || true', true],
    ['cel.bind(a, device.attributes["dra.net"], a.mtu > 1 && a.rdma)', true],
    ["cel.bind(x, 1, cel.bind(y, x + 1, x + y == 3))", true],
    ['"A,b".lowerAscii().split(",") == ["a", "b"]', true],
    ['device.attributes["dra.net"].firmware.major() == 28', true],
    ['device.attributes["dra.net"].firmware == semver("28.39.1002-rc.1")', true],
    ['device.attributes["dra.net"].firmware.isLessThan(semver("28.39.1002"))', true],
    ['device.attributes["dra.net"].firmware.isGreaterThan(semver("28.9.0"))', true],
    ['semver("v1.02", true).compareTo(semver("1.2.0")) == 0', true],
    ['isSemver("1.2")', false],
    ['isSemver("1.2", true)', true],
    ['quantity("1Gi") == quantity("1024Mi")', true],
    ['quantity("1.5k").asInteger() == 1500 && quantity("100m").isInteger() == false', true],
    ['quantity("2G").isGreaterThan(quantity("1Gi"))', true],
    ['quantity("1").add(quantity("500m")).sub(1).asApproximateFloat() == 0.5', true],
    ['quantity("-1").sign() == -1 && isQuantity("1GB") == false', true],
  ];
  for (const [expression, answer] of cases) {
    test(expression, () => expect(selectors.matches(expression, nic)).toBe(answer));
  }
});

describe("matches() fails with a sentence that names the expression and", () => {
  const cases: [string, string][] = [
    ['device.attributes["dra.net"].nothing', "fails on device pci-0000-8a-00-0: "],
    ['device.attributes["nobody.example"].thing == 1', "fails on device pci-0000-8a-00-0: "],
    ['device.attributes["dra.net"].mtu', "is neither true nor false for device pci-0000-8a-00-0"],
    ['quantity("many") == quantity("1")', '"many" is not a quantity'],
    ["device.name == 'x'", 'device has no field "name", only driver, allowMultipleAllocations, attributes, capacity'],
    ["devices.driver == 'x'", '"devices" is not a variable here, only device'],
    ['device.attributes["dra.net"].?mtu.orValue(1) == 1', '".?" needs the scheduler, netferry cannot evaluate it'],
    ['device.attributes["dra.net"][?"mtu"].hasValue()', '"[?" needs the scheduler'],
    ["optional.of(1).orValue(2) == 1", '"optional.of" with these arguments needs the scheduler'],
    ['ip("10.0.0.1").isLoopback()', '"ip" with these arguments needs the scheduler'],
    ["sets.contains([1], [1])", '"sets.contains" with these arguments needs the scheduler'],
    ["[1, 2].all(i, v, v > i)", '"all" with these arguments needs the scheduler'],
    ["[1, 2].sum() == 3", '"sum" with these arguments needs the scheduler'],
    ['device.attributes["dra.net"].ifName.includes("eth1")', '"includes" with these arguments needs the scheduler'],
    ["url('x').getHost() == 'x'", '"url" with these arguments needs the scheduler'],
    [
      "kubernetes.Semver{text: '1.0.0'} == semver('1.0.0')",
      '"kubernetes.Semver{}" with these arguments needs the scheduler',
    ],
    ["device.driver ==", "is not a CEL expression"],
  ];
  for (const [expression, message] of cases) {
    test(expression, () => {
      expect(problem(expression)).toContain(`selector \`${expression}\``);
      expect(problem(expression)).toContain(message);
    });
  }
});
