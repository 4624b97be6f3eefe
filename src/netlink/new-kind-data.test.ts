import { expect, test } from "bun:test";
import { agree, ipvlanData, macvlanData, vlanData, vrfData } from "./new-kind-data.ts";

// Bytes of `ip link add` of iproute2 6.1, seen with strace; ipvlan without its flags, which are none by default.
test("the data of a kind is what iproute2 sends", () => {
  expect(macvlanData("bridge")).toBe("0800010004000000");
  expect(macvlanData("private")).toBe("0800010001000000");
  expect(ipvlanData("l3s")).toBe("0600010002000000");
  expect(vlanData(5, "802.1ad")).toBe("0600010005000000" + "0600050088a80000");
  expect(vrfData(1234)).toBe("08000100d2040000");
});

// As the kernel reports them: more attributes, in an order of its own.
test("agree() compares what tells two links apart on their parent", () => {
  const vlan5 = "0600050088a80000" + "0600010005000000" + "0c00020001000000ffffffff";
  expect(agree("vlan", vlanData(5, "802.1ad"), vlan5)).toBe(true);
  expect(agree("vlan", vlanData(5, "802.1Q"), vlan5)).toBe(false);
  expect(agree("vlan", vlanData(6, "802.1ad"), vlan5)).toBe(false);
  const l3 = "0600010001000000" + "0600020000000000";
  expect([agree("ipvlan", ipvlanData("l3"), l3), agree("ipvlan", ipvlanData("l2"), l3)]).toEqual([true, false]);
});
