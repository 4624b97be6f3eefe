/** Claims of every kind that both the scheduler and the standalone mode serve, and some that neither does. */

export interface ClaimCase {
  readonly what: string;
  readonly spec: object;
  /** Our CEL library lacks something, and the standalone mode says so. */
  readonly needsScheduler?: boolean;
}

const NUMA = "resource.kubernetes.io/numaNode";
const ROOT = "resource.kubernetes.io/pcieRoot";

interface RequestOptions {
  readonly selectors?: readonly string[];
  readonly deviceClassName?: string;
  readonly count?: number;
  readonly allocationMode?: string;
}

function exactly(name: string, options: RequestOptions = {}) {
  return { name, exactly: fields(options) };
}

function firstAvailable(name: string, subrequests: Readonly<Record<string, RequestOptions>>) {
  const all = Object.entries(subrequests).map(([sub, options]) => ({ name: sub, ...fields(options) }));
  return { name, firstAvailable: all };
}

function fields({ selectors = [], deviceClassName = "dra.net", ...rest }: RequestOptions) {
  return { deviceClassName, selectors: selectors.map((expression) => ({ cel: { expression } })), ...rest };
}

/** One device that fulfils the expression. */
function one(expression: string): ClaimCase {
  return { what: expression, spec: { devices: { requests: [exactly("nic", { selectors: [expression] })] } } };
}

function many(what: string, requests: readonly object[], constraints: readonly object[] = []): ClaimCase {
  return { what, spec: { devices: { requests, constraints } } };
}

const attribute = (name: string) => `device.attributes["dra.net"].${name}`;
const standard = (name: string) => `device.attributes["resource.kubernetes.io"].${name}`;
const match = (matchAttribute: string, requests: readonly string[] = []) => ({ matchAttribute, requests });

export const CLAIMS: readonly ClaimCase[] = [
  // Selectors.
  one('device.driver == "dra.net"'),
  one('device.driver == "gpu.example.com"'),
  one(`${attribute("ifName")} == "eth5"`),
  one(`${attribute("ifName")} in ["eth6", "eth3"]`),
  one(`${attribute("ifName")}.startsWith("eth") && ${attribute("ifName")}.endsWith("4")`),
  one(`${attribute("ifName")}.matches("^eth[2-4]$")`),
  one(`${attribute("mtu")} == 9000`),
  one(`${attribute("mtu")} > 9000`),
  one(`${attribute("mtu")} >= 1500 && ${attribute("mtu")} < 1501`),
  one(`${attribute("rdma")}`),
  one(`!${attribute("rdma")}`),
  one(`${attribute("rdma")} ? ${attribute("mtu")} == 9000 : true`),
  one(`${attribute("pciVendor")}.lowerAscii() == "mellanox"`),
  one(`${standard("numaNode")} == 1`),
  one(`${standard("pcieRoot")} == "pci0000:20"`),
  one(`"pciVendor" in device.attributes["dra.net"] && ${attribute("pciVendor")} == "Intel"`),
  one('!("pciVendor" in device.attributes["dra.net"])'),
  { ...one('device.attributes["dra.net"].?pciVendor.orValue("nobody") == "nobody"'), needsScheduler: true },
  one(`has(device.attributes["dra.net"].pciVendor) == false`),
  one('"vendor.example.com" in device.attributes'),
  one(`${attribute("firmware")}.isGreaterThan(semver("1.5.0"))`),
  one(`${attribute("firmware")}.major() == 1 && ${attribute("firmware")}.minor() == 3`),
  one(`${attribute("firmware")}.compareTo(semver("1.2.0")) == 0`),
  one('device.attributes["dra.net"].exists(name, name == "pciVendor")'),
  one("true"),
  one("false"),
  // Errors of selectors: those of an expression, and those on a device.
  one(`${attribute("nothing")} == "x"`),
  one('device.attributes["nobody.example.com"].thing == 1'),
  one(`${attribute("ifName")} == "eth0" || ${attribute("nothing")} == "x"`),
  one(`${attribute("nothing")} == "x" || ${attribute("mtu")} == 1500`),
  one(`${attribute("pciVendor")} == "Nobody"`),
  one(`${attribute("ifName")} > 3`),
  one("device.nothing == 1"),
  one("1 + 1"),
  one("device.driver =="),
  one(`${attribute("mtu")} / 0 == 1`),
  // Classes, counts, modes, alternatives.
  many("a class with a selector of its own", [exactly("nic", { deviceClassName: "fast" })]),
  many("class and request both select", [
    exactly("nic", { deviceClassName: "fast", selectors: [`!${attribute("rdma")}`] }),
  ]),
  many("three of a class", [exactly("nic", { deviceClassName: "fast", count: 3 })]),
  many("more than there are", [exactly("nic", { count: 9 })]),
  many("all that fit", [exactly("nic", { allocationMode: "All", selectors: [`${standard("numaNode")} == 1`] })]),
  many("all where none fits", [exactly("nic", { allocationMode: "All", selectors: ["false"] })]),
  many("two requests for the same few", [
    exactly("a", { selectors: [`${attribute("ifName")} in ["eth0", "eth1"]`] }),
    exactly("b", { selectors: [`${attribute("ifName")} == "eth0"`] }),
  ]),
  many("the second alternative", [
    firstAvailable("nic", {
      best: { selectors: [`${attribute("mtu")} > 9000`] },
      good: { selectors: [`${attribute("mtu")} == 9000`] },
    }),
  ]),
  // Constraints.
  many("four of one NUMA node", [exactly("nic", { count: 4 })], [match(NUMA)]),
  many("five of one NUMA node", [exactly("nic", { count: 5 })], [match(NUMA)]),
  many(
    "a slow and a fast one of the root of the last one",
    [
      exactly("slow", { selectors: [`${attribute("mtu")} == 1500`] }),
      exactly("fast", { selectors: [`${attribute("ifName")} == "eth7"`] }),
    ],
    [match(ROOT)],
  ),
  many("a match on what one of them lacks", [exactly("nic", { count: 8 })], [match("dra.net/pciVendor")]),
  many(
    "a match for two of three requests",
    [exactly("a", { selectors: [`${attribute("ifName")} == "eth6"`] }), exactly("b"), exactly("c")],
    [match(ROOT, ["a", "c"])],
  ),
  many("the same by an attribute that is no name", [exactly("nic")], [match("numaNode")]),
];
