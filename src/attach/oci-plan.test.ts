import { expect, test } from "bun:test";
import { snapshot } from "../claims/testing.ts";
import { planByRuntime } from "./oci-plan.ts";

test("planByRuntime() gives the link a name, or leaves it its own", () => {
  expect(planByRuntime({ interface: { name: "net1" } }, snapshot())).toEqual({
    ifname: "net1",
    steps: [],
    movedBy: "oci",
    leftOut: [],
  });
  const asksForNothing = { interface: { type: "Passthrough", dhcp: false, addresses: [] }, routes: [], ethtool: {} };
  expect(planByRuntime({ ...asksForNothing, cpu: { align: "numa" } } as object, snapshot()).ifname).toBe("eth1");
});

test("planByRuntime() refuses by name all that the runtime cannot do", () => {
  const config = {
    interface: { name: "net1", mtu: 1400, forwarding: false, vrf: { name: "blue" } },
    neighbors: [{ destination: "10.0.0.1", hardwareAddr: "02:00:00:00:00:09" }],
    ethtool: { features: { tso: false } },
  };
  expect(() => planByRuntime(config, snapshot())).toThrow(
    "interface.mtu, interface.vrf, neighbors, ethtool cannot be had with --attach=oci",
  );
});

test("planByRuntime() refuses a name by which an old runtime could not be found out", () => {
  expect(() => planByRuntime({ interface: { name: "eth0" } }, snapshot())).toThrow("cannot be named eth0");
});

test("planByRuntime() tells what of the link's state stays behind", () => {
  const address = {
    ifindex: 7,
    family: "ipv6",
    local: "2001:db8::5",
    prefixLength: 64,
    scope: 0,
    flags: 0x80,
  } as const;
  expect(planByRuntime({}, snapshot({ addresses: [address] })).leftOut).toEqual([
    "IPv6 addresses may stay behind: that depends on the OCI runtime",
  ]);
});
