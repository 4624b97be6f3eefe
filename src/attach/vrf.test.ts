import { expect, test } from "bun:test";
import { aRoute } from "../../test/fakes/facts.ts";
import { snapshot } from "../claims/testing.ts";
import { parseNetworkConfig } from "../config/network-config.ts";
import type { Address } from "../netlink/address.ts";
import { needsHostRules, planAttach } from "./plan.ts";
import { checkVrfs, vrfNames, vrfOf } from "./vrf.ts";

const address: Address = { ifindex: 7, family: "ipv4", local: "10.0.0.5", prefixLength: 24, scope: 0, flags: 0x80 };
const plan = (name: string, vrf: object, rest: object = {}) => ({
  device: `device-${name}`,
  plan: planAttach(parseNetworkConfig({ interface: { name, vrf }, ...rest }, "test"), snapshot()),
});

test("vrfOf() numbers the table by the name, as DRANET does", () => {
  // The FNV authors give 0xbf9cf968 for "foobar".
  expect(vrfOf({ name: "foobar" }).table).toBe(1000 + (0xbf9cf968 % 1000));
  expect(vrfOf({ name: "blue", table: 7 }).table).toBe(7);
});

test("planAttach() joins the VRF before addresses, and puts every route into its table", () => {
  const config = {
    interface: { vrf: { name: "red", table: 70 } },
    routes: [{ destination: "10.8.0.0/16", scope: 253, table: 9 }],
  };
  const host = snapshot({
    addresses: [address],
    routes: [
      aRoute({ table: 100, gateway: "10.0.0.2" }),
      aRoute({ gateway: "10.0.0.1" }),
      aRoute({ gateway: "10.0.0.3", priority: 5 }),
      aRoute({ destination: "10.8.0.0/16", table: 100 }),
    ],
  });
  const parsed = parseNetworkConfig(config, "test");
  expect(needsHostRules(parsed, host)).toBe(false);
  const made = planAttach(parsed, host);
  expect(made.steps.map(({ op }) => op)).toEqual([
    "rename",
    "joinVrf",
    "addAddress",
    "up",
    "addRoute",
    "addRoute",
    "addRoute",
  ]);
  const routes = made.steps.flatMap((step) => (step.op === "addRoute" ? [step.route] : []));
  expect(routes.map(({ destination, gateway, table }) => [destination, gateway, table])).toEqual([
    ["10.8.0.0/16", undefined, 70],
    ["10.9.0.0/16", "10.0.0.1", 70],
    ["10.9.0.0/16", "10.0.0.3", 70],
  ]);
  expect(made.leftOut).toEqual([
    "route 10.9.0.0/16 of table 100 stays on the host: that of table 254 takes its place in VRF red",
  ]);
});

test("vrfNames() tells what a return takes off as netferry's own", () => {
  expect(vrfNames(plan("net1", { name: "red" }).plan)).toEqual(["red"]);
  expect(vrfNames({ ifname: "net1", steps: [{ op: "up" }] })).toEqual([]);
});

test("checkVrfs() lets links share a VRF, and refuses VRFs that are mixed up", () => {
  const refusal = (...plans: readonly ReturnType<typeof plan>[]) => {
    try {
      checkVrfs(plans);
    } catch (error) {
      return String(error);
    }
    return undefined;
  };
  const red = plan("net1", { name: "red", table: 70 });
  expect(refusal(red, plan("net2", { name: "red", table: 70 }), plan("net3", { name: "blue" }))).toBeUndefined();
  expect(refusal(red, plan("net2", { name: "blue", table: 70 }))).toContain(
    "VRF red of device device-net1 and VRF blue of device device-net2 would both have routing table 70",
  );
  expect(refusal(red, plan("net2", { name: "red" }))).toContain(
    "VRF red would have routing table 70 by device device-net1",
  );
  expect(refusal(red, plan("red", { name: "blue" }))).toContain(
    "VRF red of device device-net1 has the name that device device-red would have",
  );
});
