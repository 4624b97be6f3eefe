import { expect, test } from "bun:test";
import { ClaimError, describeError } from "../lib/errors.ts";
import { layered } from "./layers.ts";

test("layered() puts the profile under the provider under class and claim: values by presence, lists by key", () => {
  const profile = {
    interface: { addresses: ["10.0.0.5/24"], mtu: 1400, forwarding: true },
    routes: [
      { destination: "10.0.0.0/8", gateway: "10.0.0.1" },
      { destination: "10.9.0.0/16", gateway: "10.0.0.1" },
    ],
  };
  const provider = {
    interface: { mtu: 8896, arpIgnore: 1 as const },
    routes: [{ destination: "10.0.0.0/8", gateway: "10.0.0.2" }],
    rules: [{ source: "10.0.0.0/24", table: 100 }],
  };
  const claim = { profile: "pool-a", interface: { forwarding: false, addresses: ["10.0.0.6/24"] } };
  expect(layered({ profile, provider, claim })).toEqual({
    profile: "pool-a",
    interface: { addresses: ["10.0.0.5/24", "10.0.0.6/24"], mtu: 8896, arpIgnore: 1, forwarding: false },
    routes: [
      { destination: "10.0.0.0/8", gateway: "10.0.0.2" },
      { destination: "10.9.0.0/16", gateway: "10.0.0.1" },
    ],
    rules: [{ source: "10.0.0.0/24", table: 100 }],
  });
  expect(layered({ claim })).toEqual(claim);
});

test("layered() refuses what does not go together", () => {
  const claim = { interface: { disableIPv6: true } };
  const together = () => layered({ profile: { interface: { addresses: ["fd00::5/64"] } }, claim });
  expect(together).toThrow(ClaimError);
  try {
    together();
  } catch (error) {
    expect(describeError(error)).toStartWith(
      "what profile, provider, DeviceClass and claim say does not go together: together: interface",
    );
  }
});

test("layered() leaves out of the provider's layer what the claim has no use for", () => {
  const provider = {
    rules: [
      { source: "10.0.0.0/24", table: 100 },
      { source: "fd00::5/128", table: 100 },
    ],
    routes: [
      { destination: "0.0.0.0/0", gateway: "10.0.0.1", table: 100 },
      { destination: "::/0", gateway: "fe80::1", table: 100 },
    ],
  };
  const withoutIpv6 = { interface: { disableIPv6: true } };
  expect(layered({ provider, claim: withoutIpv6 })).toEqual({
    ...withoutIpv6,
    rules: [{ source: "10.0.0.0/24", table: 100 }],
    routes: [{ destination: "0.0.0.0/0", gateway: "10.0.0.1", table: 100 }],
  });
  const inVrf = { interface: { vrf: { name: "blue", table: 1200 } } };
  expect(layered({ provider, claim: inVrf })).toEqual({ ...inVrf, routes: provider.routes });
});
