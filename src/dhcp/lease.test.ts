import { expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "../lib/errors.ts";
import { decodeClasslessRoutes, leaseOf, OPTION } from "./lease.ts";

const SECONDS_60 = Uint8Array.of(0, 0, 0, 60);
const ALWAYS = new Map<number, Uint8Array>([
  [OPTION.serverIdentifier, Uint8Array.of(10, 0, 0, 1)],
  [OPTION.leaseSeconds, SECONDS_60],
  [OPTION.subnetMask, Uint8Array.of(255, 255, 255, 0)],
]);

function lease(options: readonly (readonly [number, Uint8Array])[] = [], yiaddr = "10.0.0.9") {
  const message = {
    op: 2,
    xid: 7,
    elapsedSeconds: 0,
    broadcast: false,
    ciaddr: "0.0.0.0",
    yiaddr,
    siaddr: "0.0.0.0",
    giaddr: "0.0.0.0",
    hardwareAddress: "02:00:00:00:00:01",
    options: new Map([...ALWAYS, ...options]),
  };
  return leaseOf({ message, serverHardwareAddress: "02:00:00:00:00:02", takenAtMs: 1000, takenUpMs: 10 });
}

test("leaseOf() takes half and seven eighths of the time where the server does not say when to ask", () => {
  expect(lease()).toEqual({
    address: "10.0.0.9",
    prefixLength: 24,
    server: "10.0.0.1",
    serverHardwareAddress: "02:00:00:00:00:02",
    hardwareAddress: "02:00:00:00:00:01",
    takenAtMs: 1000,
    takenUpMs: 10,
    seconds: 60,
    renewAfterSeconds: 26.25,
    rebindAfterSeconds: 52.5,
    routes: [],
  });
});

test("leaseOf() takes the server's times where they are in order, and no times for ever", () => {
  const times = (renew: number, rebind: number) =>
    lease([
      [OPTION.renewalSeconds, Uint8Array.of(0, 0, 0, renew)],
      [OPTION.rebindingSeconds, Uint8Array.of(0, 0, 0, rebind)],
    ]);
  expect(times(10, 20)).toMatchObject({ renewAfterSeconds: 10, rebindAfterSeconds: 20 });
  expect(times(20, 10)).toMatchObject({ renewAfterSeconds: 5, rebindAfterSeconds: 10 });
  expect(times(10, 90)).toMatchObject({ renewAfterSeconds: 10, rebindAfterSeconds: 52.5 });
  const forever = lease([[OPTION.leaseSeconds, Uint8Array.of(255, 255, 255, 255)]]);
  expect(forever.seconds).toBeUndefined();
  expect(forever.renewAfterSeconds).toBeUndefined();
});

test("leaseOf() makes the first router a default route, unless there are classless routes", () => {
  const router = [OPTION.router, Uint8Array.of(10, 0, 0, 1, 10, 0, 0, 2)] as const;
  expect(lease([router]).routes).toEqual([{ destination: "0.0.0.0/0", gateway: "10.0.0.1" }]);
  const classless = [OPTION.classlessRoutes, Uint8Array.of(16, 10, 7, 10, 0, 0, 1)] as const;
  expect(lease([router, classless]).routes).toEqual([{ destination: "10.7.0.0/16", gateway: "10.0.0.1" }]);
});

// The examples of RFC 3442, "DHCP Options Format"; a router of zeros is the link itself.
test("decodeClasslessRoutes() reads as many octets of a destination as its prefix covers", () => {
  const routes = [
    [0, 10, 0, 0, 1],
    [8, 10, 10, 0, 0, 1],
    [24, 10, 0, 0, 0, 0, 0, 0],
    [25, 10, 229, 0, 129, 10, 0, 0, 1],
    [32, 10, 198, 122, 47, 0, 0, 0, 0],
  ];
  expect(decodeClasslessRoutes(Uint8Array.from(routes.flat()))).toEqual([
    { destination: "0.0.0.0/0", gateway: "10.0.0.1" },
    { destination: "10.0.0.0/8", gateway: "10.0.0.1" },
    { destination: "10.0.0.0/24" },
    { destination: "10.229.0.128/25", gateway: "10.0.0.1" },
    { destination: "10.198.122.47/32" },
  ]);
});

test("decodeClasslessRoutes() reads random bytes, or throws a ProtocolError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decodeClasslessRoutes(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});

test("leaseOf() takes an MTU that leaves IPv6 on, and no other", () => {
  expect(lease([[OPTION.interfaceMtu, Uint8Array.of(0x05, 0x00)]]).mtu).toBe(1280);
  expect(lease([[OPTION.interfaceMtu, Uint8Array.of(0x04, 0xff)]]).mtu).toBeUndefined();
});

test.each([
  ["no server", [[OPTION.serverIdentifier, Uint8Array.of()]], "10.0.0.9", "the server does not say who it is"],
  ["no time", [[OPTION.leaseSeconds, Uint8Array.of(0, 0, 0, 0)]], "10.0.0.9", "the server does not say for how long"],
  [
    "no mask",
    [[OPTION.subnetMask, Uint8Array.of(255, 0, 255, 0)]],
    "10.0.0.9",
    "subnet mask 0xff00ff00, which is none",
  ],
  ["a multicast address", [], "224.0.0.1", "the address 224.0.0.1, which no link can have"],
  ["no address", [], "0.0.0.0", "the address 0.0.0.0, which no link can have"],
] as const)("leaseOf() refuses a lease with %s", (_what, options, yiaddr, problem) => {
  expect(() => lease(options, yiaddr)).toThrow(problem);
});
