import { expect, test } from "bun:test";
import { editDistance, nearest } from "./nearest.ts";

test("editDistance() counts insertions, deletions and replacements", () => {
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("mtu", "mtu")).toBe(0);
});

test("nearest() names the closest word, and none when all are far away", () => {
  expect(nearest("adresses", ["name", "addresses", "mtu"])).toBe("addresses");
  expect(nearest("hardwareaddr", ["hardwareAddr"])).toBe("hardwareAddr");
  expect(nearest("mtu", ["tun", "name"])).toBeUndefined();
  expect(nearest("completely", ["name", "addresses", "mtu"])).toBeUndefined();
});
