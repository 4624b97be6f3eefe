import { expect, test } from "bun:test";
import fc from "fast-check";
import { keyText } from "../claims/record.ts";
import { claimDevice, link, snapshot } from "../claims/testing.ts";
import type { LinkStep } from "../kernel/steps.ts";
import type { DatedCondition } from "./device-condition.ts";
import { type DeviceStatus, dated, deviceStatuses, isSameStatus } from "./device-status.ts";

const DRIVER = "dra.net";
const NONE = new Map();

function addAddress(local: string, prefixLength: number): LinkStep {
  const family = local.includes(":") ? "ipv6" : "ipv4";
  return { op: "addAddress", address: { ifindex: 0, family, local, prefixLength, scope: 0, flags: 0 } };
}

function attached(steps: readonly LinkStep[], late = false) {
  const record = claimDevice({ sandboxId: "s", state: "attached", plan: { ifname: "net1", steps } });
  return { ...record, ...(record.attachment && { attachment: { ...record.attachment, late } }) };
}

test("deviceStatuses() has networkData and true conditions for an attached device", () => {
  const record = attached([addAddress("10.1.2.3", 24), addAddress("fd00:0:0::9", 64)]);
  expect(deviceStatuses([record], DRIVER, NONE)).toEqual([
    {
      driver: "dra.net",
      pool: "node",
      device: "eth1",
      networkData: {
        interfaceName: "net1",
        hardwareAddress: "02:00:00:00:00:01",
        ips: ["10.1.2.3/24", "fd00::9/64"],
      },
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "NetworkDeviceReady",
          message: "eth1 of request nic is net1 in pod ns/p",
        },
        {
          type: "NetworkReady",
          status: "True",
          reason: "NetworkReady",
          message: "net1 is up and has its addresses, routes, rules and neighbours",
        },
        {
          type: "AttachedLate",
          status: "False",
          reason: "AttachedInTime",
          message: "net1 was there before any container of pod ns/p",
        },
      ],
    },
  ]);
});

test("deviceStatuses() says of a child what it stands on, and has the share that it is", () => {
  const { plan, ...record } = attached([]);
  const child = { kind: "ipvlan", kindData: "" } as const;
  const [status] = deviceStatuses([{ ...record, shareId: "share", plan: { ...plan, child } }], DRIVER, NONE);
  expect(status).toMatchObject({ device: "eth1", shareID: "share" });
  expect(status?.conditions[0]?.message).toBe("ipvlan on eth1 of request nic is net1 in pod ns/p");
});

test("deviceStatuses() shows the hardware address that was configured, and leaves out one that there is not", () => {
  const configured = attached([{ op: "setAddress", address: "02:00:00:00:00:99" }]);
  expect(deviceStatuses([configured], DRIVER, NONE)[0]?.networkData?.hardwareAddress).toBe("02:00:00:00:00:99");
  const { address: _, ...without } = link();
  const record = attached([]);
  const bare = {
    ...record,
    ...(record.attachment && { attachment: { ...record.attachment, snapshot: snapshot({ link: without }) } }),
  };
  expect(deviceStatuses([bare], DRIVER, NONE)[0]?.networkData).toEqual({ interfaceName: "net1" });
});

test("deviceStatuses() lists at most sixteen addresses, each once, and none that the API server would refuse", () => {
  const many = Array.from({ length: 20 }, (_, i) => addAddress(`10.0.0.${i + 1}`, 24));
  const twice = [addAddress("10.0.0.1", 24), addAddress("::ffff:10.0.0.1", 120), ...many];
  const ips = deviceStatuses([attached(twice)], DRIVER, NONE)[0]?.networkData?.ips ?? [];
  expect(ips).toHaveLength(16);
  expect(new Set(ips).size).toBe(16);
  expect(ips[0]).toBe("10.0.0.1/24");
  expect(ips.join()).not.toContain("ffff");
});

test("deviceStatuses() says of a late device that it was late", () => {
  const [status] = deviceStatuses([attached([], true)], DRIVER, NONE);
  expect(status?.conditions.find(({ type }) => type === "AttachedLate")).toMatchObject({
    status: "True",
    reason: "SandboxRanBefore",
  });
});

test("deviceStatuses() says of a late device with character devices that the pod has to be restarted", () => {
  const record = attached([], true);
  const deviceNodes = [{ path: "/dev/infiniband/uverbs0", major: 231, minor: 192, permissions: "rw" }];
  const [status] = deviceStatuses([{ ...record, plan: { ...record.plan, deviceNodes } }], DRIVER, NONE);
  expect(status?.conditions.find(({ type }) => type === "AttachedLate")).toMatchObject({
    status: "True",
    reason: "RestartRequired",
  });
});

test("deviceStatuses() says of an RDMA device without a link that it is ready, and nothing of a network", () => {
  const identity = { pciAddress: "0000:3b:00.1", rdmaName: "mlx5_1" };
  const record = claimDevice({
    sandboxId: "s",
    state: "attached",
    published: { name: "ib", identity, attributes: {} },
    plan: { steps: [] },
  });
  const [status] = deviceStatuses([record], DRIVER, NONE);
  expect(status).not.toHaveProperty("networkData");
  expect(status?.conditions.map(({ type, status, reason }) => [type, status, reason])).toEqual([
    ["Ready", "True", "RDMAOnlyDeviceReady"],
    ["AttachedLate", "False", "AttachedInTime"],
  ]);
  const rdma = { name: "mlx5_1", moves: true, nodeTypes: [] };
  const [moved] = deviceStatuses([{ ...record, plan: { steps: [], rdma } }], DRIVER, NONE);
  expect(moved?.conditions.map(({ type, reason }) => [type, reason])).toContainEqual([
    "RDMALinkReady",
    "RDMALinkReady",
  ]);
  const [waiting] = deviceStatuses([{ ...record, state: "attaching" }], DRIVER, NONE);
  expect(waiting?.conditions.map(({ type }) => type)).toEqual(["Ready"]);
});

test("deviceStatuses() says why a device is not ready, and has no networkData then", () => {
  const record = claimDevice({});
  const troubles = new Map([[keyText(record), { reason: "AttachFailed", message: "x".repeat(5000) } as const]]);
  const [status] = deviceStatuses([record], DRIVER, troubles);
  expect(status?.conditions.map(({ type, status: value, reason }) => [type, value, reason])).toEqual([
    ["Ready", "False", "AttachFailed"],
    ["NetworkReady", "False", "AttachFailed"],
  ]);
  expect(status?.conditions[0]?.message).toHaveLength(1024);
  expect(status).not.toHaveProperty("networkData");
});

test("deviceStatuses() has entries for devices on their way, and none for those at home", () => {
  const states = ["prepared", "attaching", "detaching"] as const;
  const records = states.map((state) => claimDevice({ device: state, state, sandboxId: "s", shareId: "share" }));
  const statuses = deviceStatuses(records, DRIVER, NONE);
  expect(statuses.map(({ device, shareID, conditions }) => [device, shareID, conditions[0]?.reason])).toEqual([
    ["attaching", "share", "Attaching"],
    ["detaching", "share", "Detaching"],
  ]);
});

const condition = fc.record({
  type: fc.constantFrom("Ready", "NetworkReady", "AttachedLate"),
  status: fc.constantFrom("True", "False"),
  reason: fc.constantFrom("A", "B"),
  message: fc.string(),
});
const device = fc.record({
  driver: fc.constant(DRIVER),
  pool: fc.constant("node"),
  device: fc.constantFrom("a", "b", "c"),
  conditions: fc.uniqueArray(condition, { selector: ({ type }) => type }),
});
const devices = fc.uniqueArray(device, { selector: (one) => one.device });

test("dated() changes a condition's time when its status changes, and only then", () => {
  const early = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  const later = early + 60_000;
  fc.assert(
    fc.property(devices, devices, (first, second) => {
      const before = dated(first, [], early);
      const after = dated(second, before, later);
      for (const { device: name, conditions } of after)
        for (const { type, status, lastTransitionTime } of conditions) {
          const known = find(before, name)?.conditions.find((other) => other.type === type);
          expect(lastTransitionTime).toBe(known?.status === status ? "2026-01-02T03:04:05Z" : "2026-01-02T03:05:05Z");
        }
      // Written twice, it is the same document.
      expect(isSameStatus(dated(second, after, later + 1000), after)).toBe(true);
      expect(after.map(withoutTimes)).toEqual([...second]);
    }),
  );
});

test("isSameStatus() does not mind the order of devices and conditions, but everything else", () => {
  const [a, b] = [
    attached([addAddress("10.0.0.1", 8)]),
    claimDevice({ device: "b", state: "attaching", sandboxId: "s" }),
  ];
  const both = deviceStatuses([a, b], DRIVER, NONE);
  const turned = both.toReversed().map((one) => ({ ...one, conditions: one.conditions.toReversed() }));
  expect(isSameStatus(both, turned)).toBe(true);
  expect(isSameStatus(both, both.slice(1))).toBe(false);
  expect(isSameStatus(both, deviceStatuses([attached([addAddress("10.0.0.2", 8)]), b], DRIVER, NONE))).toBe(false);
});

function find(all: readonly DeviceStatus<DatedCondition>[], name: string) {
  return all.find((one) => one.device === name);
}

function withoutTimes(one: DeviceStatus<DatedCondition>): DeviceStatus {
  return { ...one, conditions: one.conditions.map(({ lastTransitionTime: _, ...rest }) => rest) };
}

test("deviceStatuses() says of each container that was made whether it runs at its device", () => {
  const record = attached([]);
  const told = (unaligned: Readonly<Record<string, string>>, place = true) => {
    const { attachment, published } = record;
    const at = place ? { place: { node: 1, cpus: "4-7", hasMemory: true } } : {};
    const aligned = { ...record, alignsCpus: true as const, published: { ...published, ...at } };
    const made = attachment === undefined ? aligned : { ...aligned, attachment: { ...attachment, unaligned } };
    return deviceStatuses([made], DRIVER, NONE)[0]?.conditions.find(({ type }) => type === "CPUAligned");
  };
  expect(told({})).toBeUndefined();
  expect(told({ main: "", side: "" })).toMatchObject({
    status: "True",
    reason: "AtNUMANode",
    message: "containers of pod ns/p were bound to NUMA node 1: main, side",
  });
  expect(told({ main: "", side: "it is bound to CPUs 0-3" })).toMatchObject({
    status: "False",
    reason: "BoundElsewhere",
    message: "pod ns/p, container side: it is bound to CPUs 0-3",
  });
  expect(told({ main: "unknown" }, false)).toMatchObject({ status: "False", reason: "NUMANodeUnknown" });
});
